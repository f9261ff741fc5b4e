import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

const root = path.resolve(import.meta.dirname, '../..');

/**
 * Turns rooms of the source, with all that is below them, into JavaScript below `target`, for tests that need them in a process of their own (one that
 * is killed): Node 20 runs no TypeScript. Files that are not TypeScript are copied, packages are found by a link.
 */
export function transpileRooms(target: string, rooms: string[]): void {
  const options = {
    module: ts.ModuleKind.ESNext,
    target: ts.ScriptTarget.ES2022,
    rewriteRelativeImportExtensions: true,
    verbatimModuleSyntax: true,
  };
  writeFileSync(path.join(target, 'package.json'), '{"type":"module"}');
  symlinkSync(path.join(root, 'node_modules'), path.join(target, 'node_modules'));
  for (const room of rooms) {
    for (const entry of readdirSync(path.join(root, room), { withFileTypes: true, recursive: true })) {
      if (entry.isDirectory()) continue;
      const source = path.join(entry.parentPath, entry.name);
      const out = path.join(target, path.relative(root, source));
      mkdirSync(path.dirname(out), { recursive: true });
      if (!entry.name.endsWith('.ts')) cpSync(source, out);
      else {
        const { outputText } = ts.transpileModule(readFileSync(source, 'utf8'), { compilerOptions: options });
        writeFileSync(out.replace(/\.ts$/, '.js'), outputText);
      }
    }
  }
}
