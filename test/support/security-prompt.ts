import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** The prompt of the security reviewer, the role of a team's own stage, in a folder of its own. */
export function securityPrompt(): { file: string; remove: () => void } {
  const folder = mkdtempSync(path.join(tmpdir(), 'orch-own-stage-'));
  const file = path.join(folder, 'security.md');
  writeFileSync(file, 'You are the security reviewer. Look for open redirects.\n');
  return { file, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
