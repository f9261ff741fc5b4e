import { settingsJsonSchema } from '../../src/core/config/schema.ts';
import { cliPage } from './cli-page.ts';
import { configurationPage } from './configuration-page.ts';
import { stateMachinePage } from './state-machine-page.ts';

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
  { file: 'docs/state-machine.md', content: stateMachinePage },
  { file: 'docs/cli.md', content: cliPage },
];
