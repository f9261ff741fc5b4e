import type { App } from '../../app.ts';
import { errorText } from '../../core/model/index.ts';
import type { CommandContext } from './contract.ts';

/**
 * Decides and delivers what a command has just asked for, where this process holds the tokens; without them the poller
 * does it at its next tick. Trouble outside does not fail the command: what was asked for is in the database.
 */
export async function followUp(context: CommandContext, app: App): Promise<void> {
  if (!context.secrets.has('plane') || !context.secrets.has('gitea')) {
    context.output.note('noted; the poller acts on it at its next tick (no tokens here)');
    return;
  }
  const { runRounds } = await import('../../core/engine/rounds.ts');
  try {
    await runRounds({ decisions: 0, delivered: 0, problems: [] }, app.engine);
  } catch (error) {
    context.output.warn(`noted, but not acted on yet: ${errorText(error)}`);
  }
}
