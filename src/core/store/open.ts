// The only way into this room: who opens the store knows what the configuration says of the database, and no more.
export { inspectDatabase, isDatabaseMade } from './sqlite/inspect.ts';
export { openStore } from './sqlite/open.ts';
