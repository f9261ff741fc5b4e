import type { Output } from '../../ui/output.ts';

/** 128 + signal number, the shell's convention. */
const codes = { SIGINT: 130, SIGTERM: 143 } as const;

const standardNote = 'stopping; a second signal ends orch at once, running agents go on under their supervisor';

/**
 * A signal that the first SIGINT or SIGTERM aborts; the second one ends the process at once. Nothing is lost by that:
 * agents have their supervisor, and every step survives a kill.
 * @param note what the first one is answered with
 */
export function stopSignal(output: () => Output, note = standardNote): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(codes[name]);
      output().note(note);
      controller.abort();
    });
  }
  return controller.signal;
}
