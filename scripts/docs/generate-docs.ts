import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { packageRoot } from '../../src/core/platform/files.ts';
import { generatedFiles } from './generated.ts';

for (const { file, content } of generatedFiles) {
  const target = path.join(packageRoot(), file);
  mkdirSync(path.dirname(target), { recursive: true });
  writeFileSync(target, await content());
  console.log(file);
}
