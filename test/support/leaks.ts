import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync, inflateSync } from 'node:zlib';

/** Every form a token could leak in: plain, URL-encoded, hexadecimal, and base64 at each of its three alignments. */
export function formsOf(token: string): string[] {
  const aligned = [0, 1, 2].map((lead) => {
    const encoded = Buffer.from('x'.repeat(lead) + token).toString('base64');
    return encoded.slice(lead === 0 ? 0 : 4, Math.floor(((lead + token.length) * 8) / 24) * 4);
  });
  const hex = Buffer.from(token).toString('hex');
  return [...new Set([token, encodeURIComponent(token), hex, hex.toUpperCase(), ...aligned])];
}

/** What of these tokens stands in a text, each as the place and the beginning of what was found. */
export function leaksIn(where: string, text: string, tokens: string[]): string[] {
  return tokens
    .flatMap(formsOf)
    .filter((needle) => text.includes(needle))
    .map((needle) => `${where}: ${needle.slice(0, 12)}…`);
}

/** Regular files below a folder; links are not followed. */
function* filesBelow(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) yield* filesBelow(file);
    else if (entry.isFile() && lstatSync(file).size > 0) yield file;
  }
}

/** Content as it lies there and, where it is compressed (git objects), as it was. */
function contents(file: string): string {
  const bytes = readFileSync(file);
  const plain = [bytes.toString('latin1')];
  for (const unpack of [inflateSync, gunzipSync]) {
    try {
      plain.push(unpack(bytes).toString('latin1'));
    } catch {
      // Not compressed that way.
    }
  }
  return plain.join('\n');
}

/** Greps every file below a folder, names included. */
export function leaksBelow(folder: string, tokens: string[]): { files: number; leaks: string[] } {
  const leaks: string[] = [];
  let files = 0;
  for (const file of filesBelow(folder)) {
    files += 1;
    const name = path.relative(folder, file);
    leaks.push(...leaksIn(name, `${name}\n${contents(file)}`, tokens));
  }
  return { files, leaks };
}

/** Arguments and environment of the processes that name a folder in either, seen from outside now. */
export function processesOf(folder: string): { pid: number; name: string; args: string; environment: string }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const [args = '', environment = '', name = ''] = ['cmdline', 'environ', 'comm'].map((part) =>
          readFileSync(`/proc/${pid}/${part}`, 'latin1'),
        );
        return `${args}\n${environment}`.includes(folder)
          ? [{ pid: Number(pid), name: name.trim(), args, environment }]
          : [];
      } catch {
        return []; // Ended meanwhile, or not ours to read.
      }
    });
}
