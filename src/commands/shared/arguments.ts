/** Global options as they stand anywhere on the command line: read before commander, which fails before it tells. */
export interface GlobalFlags {
  json: boolean;
  quiet: boolean;
  verbose: boolean;
  color: boolean | undefined;
  /** The words that are no options, in order: the command first. */
  words: string[];
}

/** Scans the arguments after the program's name. Only `--config` of the global options takes a value. */
export function scanArguments(args: readonly string[]): GlobalFlags {
  const flags: GlobalFlags = { json: false, quiet: false, verbose: false, color: undefined, words: [] };
  for (let i = 0; i < args.length; i += 1) {
    const word = args[i] as string;
    if (word === '--') break;
    if (word === '--config') i += 1;
    else if (word === '--json') flags.json = true;
    else if (word === '-q' || word === '--quiet') flags.quiet = true;
    else if (word === '-v' || word === '--verbose') flags.verbose = true;
    else if (word === '--color') flags.color = true;
    else if (word === '--no-color') flags.color = false;
    else if (!word.startsWith('-')) flags.words.push(word);
  }
  return flags;
}
