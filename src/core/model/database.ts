/** Where the database is; the configuration says it, the store alone reads it. */
export interface DatabasePlace {
  /** File of the database; it is made when there is none. */
  file: string;
}

/** What can be seen of a database without opening it as a store. */
export interface DatabaseInspection {
  /** The database as people know it. */
  name: string;
  /** Null while there is none: the first service makes it. */
  found: {
    schema: number;
    /** Newest schema this program knows; a smaller one in the database is brought up to date by the next service. */
    known: number;
    /** Bytes, without what is only in the log yet. */
    size: number;
    /** What is broken in it; null when it is too large to be read through while somebody waits. */
    damage: string[] | null;
    /** What to do about damage. */
    advice: string;
  } | null;
}
