import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import ts from 'typescript';

const root = path.resolve(import.meta.dirname, '../..');
const target = path.join(tmpdir(), `orch-built-${process.pid}`);
const built = new Map<string, string>();

/**
 * Node 20 cannot run TypeScript: translates a script and what it imports from its folder, once per test process.
 * @param script path below the repository's root, such as `src/sandbox/agent/scripted-agent.ts`; it may import `node:`
 * modules and relative files only
 * @returns the file to run with `node`
 */
export function builtScript(script: string): string {
  if (built.size === 0) {
    mkdirSync(target, { recursive: true });
    writeFileSync(path.join(target, 'package.json'), '{ "type": "module" }');
    process.once('exit', () => rmSync(target, { recursive: true, force: true }));
  }
  const known = built.get(script);
  if (known !== undefined) return known;
  const output = path.join(target, script.replace(/\.ts$/, '.js'));
  built.set(script, output);
  const source = readFileSync(path.join(root, script), 'utf8');
  const { outputText } = ts.transpileModule(source, {
    fileName: script,
    compilerOptions: {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
      rewriteRelativeImportExtensions: true,
    },
  });
  mkdirSync(path.dirname(output), { recursive: true });
  writeFileSync(output, outputText);
  for (const [, imported] of outputText.matchAll(/from ["'](\.[^"']+)\.js["']/g)) {
    builtScript(path.join(path.dirname(script), `${imported}.ts`));
  }
  return output;
}
