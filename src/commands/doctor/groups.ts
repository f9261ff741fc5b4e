import type { CommandContext } from '../shared/contract.ts';
import { bad, check, failed, good, warning, type Finding, type Group, type Subject } from './finding.ts';

/** The configuration, and what the other checks start from; null when it cannot be used. */
export async function configuration(
  context: CommandContext,
): Promise<{ findings: Finding[]; subject: Subject | null }> {
  const [{ connectParts }, { systemClock }, { silentLog }] = await Promise.all([
    import('../../parts.ts'),
    import('../../core/platform/clock.ts'),
    import('../../core/platform/log.ts'),
  ]);
  try {
    const { config, file, warnings } = await context.loadConfig();
    const findings = [
      file === null
        ? warning('file', 'there is none: defaults and environment', 'Run `orch init`, or name one with --config.')
        : good('file', file),
      // People have read them on stderr by now.
      ...(context.output.asJson ? warnings : []).map((text) => warning('environment', text, 'Correct or remove it.')),
    ];
    const { secrets, redactor, env } = context;
    const parts = connectParts({ config, secrets, redactor, env, clock: systemClock, log: silentLog });
    return { findings, subject: { config, parts, secrets, env } };
  } catch (error) {
    return { findings: [failed('file', error)], subject: null };
  }
}

/** Whether the server answered and took the token: nothing else of it is worth asking otherwise. */
async function answers(server: Promise<Finding[]>): Promise<boolean> {
  return !(await server).some((finding) => finding.name === 'account' && finding.level === 'bad');
}

/** Every check that needs a valid configuration, begun at once; in the order they are shown. */
export async function groupsOf(subject: Subject): Promise<Group[]> {
  const [machine, { agents }, plane, gitea] = await Promise.all([
    import('./machine.ts'),
    import('./agents.ts'),
    import('./plane.ts'),
    import('./gitea.ts'),
  ]);
  const { config } = subject;
  const planeServer = given(subject, 'plane', () => plane.planeServer(subject));
  const giteaServer = given(subject, 'gitea', () => gitea.giteaServer(subject));
  const groups: Group[] = [
    { title: 'State', findings: machine.state(subject) },
    { title: 'Agents', findings: agents(subject) },
    { title: `Plane  ${config.plane.url}`, findings: planeServer },
    { title: `Gitea  ${config.gitea.url}`, findings: giteaServer },
    ...telegram(subject),
  ];
  for (const policy of config.projects) {
    const ofPlane = answers(planeServer).then((up) => (up ? plane.planeProject(subject, policy) : notAsked('Plane')));
    const ofGitea = answers(giteaServer).then((up) => (up ? gitea.giteaProject(subject, policy) : notAsked('Gitea')));
    const findings = Promise.all([ofPlane, ofGitea]).then((parts) => parts.flat());
    groups.push({ title: `Project ${policy.name}  ${policy.prefix}, ${policy.repo}`, findings });
  }
  if (config.projects.length === 0) groups.push({ title: 'Projects', findings: Promise.resolve([noProject()]) });
  return groups;
}

function noProject(): Finding {
  return bad('projects', 'none is configured', 'Run `orch init`, or add one under projects.');
}

function notAsked(peer: string): Finding[] {
  return [warning(peer, 'not looked at, see above', `Correct ${peer} first.`)];
}

/** A missing token is reported once, under the tokens; the account stands for everything that was not asked without it. */
function given(subject: Subject, name: 'plane' | 'gitea', work: () => Promise<Finding[]>): Promise<Finding[]> {
  if (subject.secrets.has(name)) return work();
  return Promise.resolve([bad('account', 'not asked: there is no token', 'Give the token, see above.')]);
}

function telegram({ config, secrets, parts: { network } }: Subject): Group[] {
  const settings = config.telegram;
  if (settings === null || !secrets.has('telegram')) return [];
  const findings = check('bot', async () => {
    const { createTelegram } = await import('../../core/peers/telegram/telegram.ts');
    const token = (): string => secrets.read('telegram');
    const name = await createTelegram({ ...settings, token, network, timeoutMs: config.timeouts.telegramMs }).botName();
    return { name: 'bot', level: 'good', text: `@${name}, chat ${settings.chatId}`, advice: null };
  });
  return [{ title: 'Telegram', findings }];
}
