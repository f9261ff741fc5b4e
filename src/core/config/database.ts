import type { DatabasePlace } from '../model/index.ts';
import type { Config } from './config.ts';

/** Where the configuration puts the database; only the store reads what is in it. */
export function databaseOf({ dbPath }: Pick<Config, 'dbPath'>): DatabasePlace {
  return { file: dbPath };
}
