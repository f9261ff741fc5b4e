import { existsSync } from 'node:fs';
import path from 'node:path';
import { homeFolder } from '../platform/files.ts';
import { OrchError } from '../model/index.ts';
import { assertTrusted } from './trust.ts';

export const configFileName = 'orchestrator.config.json';
const systemFile = `/etc/orch/${configFileName}`;

/** A configuration file as it was read, before any check. */
export interface ConfigFile {
  path: string;
  content: Record<string, unknown>;
}

function expandHome(file: string, env: NodeJS.ProcessEnv): string {
  return file === '~' || file.startsWith('~/') ? path.join(homeFolder(env), file.slice(1)) : file;
}

/** The folders from `cwd` upward, to the home folder or the root, whichever comes first. */
function foldersUpward(cwd: string, home: string): string[] {
  const folders: string[] = [];
  for (let folder = path.resolve(cwd); ; folder = path.dirname(folder)) {
    folders.push(folder);
    if (folder === path.resolve(home) || folder === path.dirname(folder)) return folders;
  }
}

interface Search {
  /** `--config`. */
  file?: string | undefined;
  env: NodeJS.ProcessEnv;
  cwd: string;
}

/**
 * Which file holds the configuration: `--config`, `ORCH_CONFIG`, the nearest one upward from `cwd`, the system's.
 * cosmiconfig's own search is not used: it passes over a file it may not read, and its wide strategy would run
 * JavaScript it comes across.
 * @returns `searched`: nobody named it
 * @throws OrchError `config_untrusted` for a file that was found by searching and that others could have written
 */
export function findConfigFile(options: Search): { file: string; searched: boolean } | null {
  const named = options.file ?? (options.env['ORCH_CONFIG']?.trim() || undefined);
  if (named !== undefined) return { file: path.resolve(options.cwd, expandHome(named, options.env)), searched: false };
  const file = searchConfigFile(options);
  if (file !== null) assertTrusted(file, options.env);
  return file === null ? null : { file, searched: true };
}

/** The file that a search comes to, trusted or not. */
export function searchConfigFile({ env, cwd }: Omit<Search, 'file'>): string | null {
  const candidates = foldersUpward(cwd, homeFolder(env)).map((folder) => path.join(folder, configFileName));
  return [...candidates, systemFile].find((file) => existsSync(file)) ?? null;
}

function invalid(file: string, problem: string): OrchError {
  return new OrchError(`the configuration file ${file} ${problem}`, {
    code: 'config_invalid',
    hint: 'Correct it, then run `orch config check`.',
  });
}

async function parseJson(file: string, text: string): Promise<{ value: unknown }> {
  const json = text.replace(/^\uFEFF/, '');
  try {
    return { value: JSON.parse(json) as unknown };
  } catch {
    const { jsonErrorOffset, lineAndColumn } = await import('./json-position.ts');
    const offset = jsonErrorOffset(json) ?? json.length;
    const { line, column } = lineAndColumn(json, offset);
    throw invalid(
      `${file}:${line}:${column}`,
      offset >= json.length ? 'ends in the middle of the JSON' : 'is not valid JSON',
    );
  }
}

/** The part of cosmiconfig that reads one file; its package has no types for it. */
interface Explorer {
  load(file: string): Promise<{ config?: unknown } | null>;
}
type ExplorerClass = new (options: {
  moduleName: string;
  searchPlaces: string[];
  loaders: Record<string, (file: string, text: string) => unknown>;
  transform: (result: unknown) => unknown;
  cache: boolean;
}) => Explorer;

/**
 * cosmiconfig without its entry function, which looks into the working folder for options of its own (`package.json`,
 * `.config/config.js`) and runs what it finds there: orch is also started inside checkouts of other people's code.
 */
async function explorer(): Promise<Explorer> {
  const { default: cosmiconfig } = (await import('cosmiconfig/dist/Explorer.js')) as unknown as {
    default: { Explorer: ExplorerClass };
  };
  // The value is wrapped, so that cosmiconfig does not follow a `$import` in it: the schema refuses that key.
  return new cosmiconfig.Explorer({
    moduleName: 'orch',
    searchPlaces: [configFileName],
    loaders: { '.json': parseJson, noExt: parseJson },
    transform: (result) => result,
    cache: false,
  });
}

/**
 * Reads the file through cosmiconfig.
 * @throws OrchError `config_not_found` or `config_invalid`, naming file, line and column.
 */
export async function readConfigFile(file: string): Promise<ConfigFile> {
  const result = await (await explorer()).load(file).catch((error: unknown) => {
    if (error instanceof OrchError) throw error;
    throw unreadable(file, error);
  });
  const content = (result?.config as { value?: unknown } | undefined)?.value;
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw invalid(file, 'does not hold a JSON object');
  }
  return { path: file, content: content as Record<string, unknown> };
}

function unreadable(file: string, cause: unknown): OrchError {
  const code = (cause as NodeJS.ErrnoException).code;
  const missing = code === 'ENOENT' || code === 'ENOTDIR';
  const reason = missing ? 'does not exist' : `cannot be read (${code ?? 'not a JSON file'})`;
  return new OrchError(`the configuration file ${file} ${reason}`, {
    code: missing ? 'config_not_found' : 'config_unreadable',
    hint: missing ? 'Check --config or ORCH_CONFIG, or run `orch init`.' : 'Name a readable file that ends in .json.',
    cause,
  });
}
