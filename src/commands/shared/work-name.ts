import type { JobKind, Role } from '../../core/model/index.ts';

/** What people call the work of a job or run: a check runs a project's tests, not the agent whose settings it uses. */
export function workName({ kind, role }: { kind: JobKind; role: Role }): string {
  return kind === 'check' ? 'tests' : role;
}
