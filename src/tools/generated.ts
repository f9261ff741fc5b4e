import { settingsJsonSchema } from '../core/config/schema.ts';
import { configurationPage } from './configuration-page.ts';

/** A file that is made from the code; a test fails when it is not up to date. */
export interface GeneratedFile {
  /** Path below the root of the package. */
  file: string;
  content: () => string | Promise<string>;
}

/** Everything `npm run docs` writes. */
export const generatedFiles: GeneratedFile[] = [
  {
    file: 'schema/orchestrator.config.schema.json',
    content: () => `${JSON.stringify(settingsJsonSchema(), null, 2)}\n`,
  },
  { file: 'docs/configuration.md', content: configurationPage },
];
