import { one, type Query } from '../query.ts';

/** See the port. */
export function* identity(): Query<string> {
  const row = yield* one<{ name: string }>('SELECT name FROM identity WHERE id = 1');
  if (row === null) throw new Error('the database has no identity');
  return row.name;
}
