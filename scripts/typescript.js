// Lets node run the repository's TypeScript as it is: `node --import ./scripts/typescript.js file.ts` takes the types off each
// file as it is loaded. Node 20 cannot do it alone; nothing is written, so nothing of an older build is ever run.
import { readFile } from 'node:fs/promises';
import { isMainThread } from 'node:worker_threads';
import { fileURLToPath } from 'node:url';
import { register } from 'node:module';

// `register` loads this same file once more, on the thread of the hooks.
if (isMainThread) register(import.meta.url);

/** The `load` hook of node's module loader. */
export async function load(url, context, nextLoad) {
  if (!url.startsWith('file:') || !url.endsWith('.ts')) return nextLoad(url, context);
  const { default: ts } = await import('typescript');
  const file = fileURLToPath(url);
  const { outputText } = ts.transpileModule(await readFile(file, 'utf8'), {
    fileName: file,
    compilerOptions: {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
      inlineSourceMap: false,
    },
  });
  return { format: 'module', source: outputText, shortCircuit: true };
}
