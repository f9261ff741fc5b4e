declare const ORCH_BUILD: string | undefined;

/** A hash of the sources that this program was built from; null where it runs from source. */
export const build: string | null = typeof ORCH_BUILD === 'undefined' ? null : ORCH_BUILD;
