import { watch } from 'node:fs';
import path from 'node:path';

/**
 * The event comes with the first byte that a transaction writes into the log; other processes see the transaction only
 * when it is complete, at `synchronous=FULL` after the disk has answered. So one call would come too early: for so long
 * after the event the loop's turns are used to look again, which is shorter than any timer …
 */
const closeLookMs = 1;
/** … and then, for a slow disk or a long transaction, again after these pauses, milliseconds. */
const laterLooksMs = [2, 1, 1, 2, 20, 75];
/** Close looks are begun at most this often, so that a process that writes all the time costs the others a tenth at most. */
const restMs = 10;

/**
 * Calls `onChange` as soon as any process has written to the database, several times for one write: half a millisecond
 * instead of the half second of a usual poll. The folder is watched, since a watch on the `-wal` file goes dead when that
 * file is made again. Only a hint: events may be lost or come from orch's own writes, so a slow poll stands behind it;
 * where watching is impossible nothing happens.
 */
export function watchDatabase(file: string, onChange: () => void): { close: () => void } {
  const names = new Set([path.basename(file), `${path.basename(file)}-wal`]);
  const looks = createLooks(onChange);
  try {
    const watcher = watch(path.dirname(file), { persistent: false }, (_event, name) => {
      if (name !== null && names.has(name)) looks.begin();
    });
    watcher.on('error', () => watcher.close());
    return {
      close: () => {
        looks.end();
        watcher.close();
      },
    };
  } catch {
    return { close: looks.end };
  }
}

function createLooks(look: () => void): { begin: () => void; end: () => void } {
  let begunAt = Number.NEGATIVE_INFINITY;
  let close: NodeJS.Immediate | undefined;
  let later: NodeJS.Timeout | undefined;

  function lookClosely(): void {
    look();
    close = performance.now() - begunAt < closeLookMs ? setImmediate(lookClosely) : undefined;
  }
  function lookLater(step: number): void {
    clearTimeout(later);
    const pause = laterLooksMs[step];
    if (pause === undefined) return;
    later = setTimeout(() => {
      look();
      lookLater(step + 1);
    }, pause);
  }
  return {
    begin: () => {
      lookLater(0);
      if (performance.now() - begunAt < restMs) return;
      begunAt = performance.now();
      clearImmediate(close);
      close = setImmediate(lookClosely);
    },
    end: () => {
      clearImmediate(close);
      clearTimeout(later);
    },
  };
}
