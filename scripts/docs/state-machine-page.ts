import type { HoldLift, NoticeEvent } from '../../src/core/model/index.ts';
import { channels } from '../../src/core/pipeline/channels.ts';
import { builtInStages, edges, gateNames, holdKinds, stageNames } from '../../src/core/pipeline/stages/index.ts';
import { code, markdownTable } from './markdown.ts';

const intro = `<!-- Made by \`npm run docs\` from src/core/pipeline. Do not edit. -->

# State machine

A task is in one stage. The stage's agent works, its gate is judged over what this stay produced, and one decision moves the
task: on, back, or into a hold. Every stay is a numbered visit with a baseline; what stood there before is no evidence.
Facts of the outside come first (merged, cancelled, closed, deleted), then messages in their order, then the gate.
`;

function label(text: string): string {
  return `"${text.replaceAll('"', "'")}"`;
}

function roleOf(stage: string): string | null {
  return builtInStages.find((one) => one.name === stage)?.role.name ?? null;
}

/** Mermaid takes no bare `end` and no quotes in a label; the stages' names are safe. */
function flowchart(): string {
  const nodes = stageNames
    .filter((stage) => stage !== 'cancelled')
    .map((stage) => {
      const role = roleOf(stage);
      return role === null ? `  ${stage}([${label(stage)}])` : `  ${stage}[${label(`${stage}<br/>${role}`)}]`;
    });
  const arrows = edges.map(({ from, to, name }) => {
    const onward = stageNames.indexOf(to) > stageNames.indexOf(from);
    return `  ${from} ${onward ? '-->' : '-.->'}|${label(name)}| ${to}`;
  });
  return ['```mermaid', 'flowchart TD', ...nodes, ...arrows, '```'].join('\n');
}

function stageTable(): string {
  const rows = [...gateNames].map(([stage, gate]) => {
    return [
      code(stage),
      roleOf(stage) ?? '–',
      gate,
      edges
        .filter((edge) => edge.from === stage)
        .map((edge) => `${code(edge.to)}: ${edge.name}`)
        .join('; '),
    ];
  });
  return markdownTable(['stage', 'agent', 'gate to leave it', 'where it goes'], rows);
}

const lifts: Record<HoldLift, string> = {
  rerun: "runs the stage's agent again",
  rejudge: 'asks the gate again',
  redeliver: 'sends again what was refused',
};

function holdTable(): string {
  const rows = [...holdKinds.values()].map((kind) => {
    return [
      code(kind.cause),
      kind.blocking ? 'blocks' : 'waits',
      kind.owner,
      kind.clearedBy.en,
      kind.blocking || kind.lift === 'rerun' ? lifts[kind.lift] : 'asks the gate again',
      kind.phase.replace('_', ' '),
      kind.notifies ? 'yes' : '–',
    ];
  });
  const titles = ['cause', 'kind', 'who clears it', 'what clears it', '`orch retry`', 'Plane state', 'notice'];
  return markdownTable(titles, rows);
}

function noticeTable(): string {
  const chat = { alert: 'yes, may come twice', info: 'yes, at most once', none: '–' };
  const rows = (Object.keys(channels) as NoticeEvent['event'][]).map((event) => [
    code(event),
    channels[event].comment ? 'yes' : '–',
    chat[channels[event].chat],
  ]);
  return markdownTable(['event', 'Plane comment', 'Telegram'], rows);
}

const invariants = [
  'Every message is handled once, in order per task; none is left when nothing is due.',
  'Any order and duplication of wake-ups over the same final mirrors and messages ends in the same stage, hold and live job.',
  'Every stage change is an edge above or a named command, has one decision row, and raises the version by one.',
  'A passed gate names a subject of the current visit; a merge is delivered only for the proven head.',
  "At most one live job per task, one running per `repo#branch`, preparing and running within the host's limit.",
  'Lease tokens rise strictly; an older token changes no row; each run settles once.',
  'Runs, developer reruns and dollars (spent and reserved) are within their caps at every instant; only a journaled command resets them.',
  'Every task that is not done or cancelled has a live job, an unsettled run, a pending effect, an unhandled message, a wake-up time, or a hold with cause, owner and what clears it.',
  'At most one outside object per effect key (Telegram excepted); an effect exists exactly when its decision was committed.',
  "When a branch's next run starts, no process of the former lives; every commit of a settled run is on the server or named in a hold.",
];

/** `docs/state-machine.md`: stages, edges, gates, holds and notices as the code has them. */
export function stateMachinePage(): string {
  return [
    intro,
    `${flowchart()}\n`,
    `Besides these edges: a merge by a person ends the task in any stage (in \`deploy\` it counts as the merge), a cancelled or deleted
work item makes it \`cancelled\` until it is reopened, and \`orch advance --force\` and \`orch cancel\` move it by command.
A shorter pipeline has the same edges between the stages it has; work that would go back to a stage it lacks is held.\n`,
    `## Stages\n\n${stageTable()}\n`,
    `## Holds\n\nA hold that blocks stops the gate from being judged until it is lifted: by \`orch retry\`, or by moving the card from its
waiting state to a started one by a person who may approve. A hold that waits is looked at again by itself.\n\n${holdTable()}\n`,
    `## Notices\n\n${noticeTable()}\n`,
    `## Invariants\n\nThe model tests check them under random orders, duplicates, kills and two leaders.\n\n${invariants.map((text, at) => `${at + 1}. ${text}`).join('\n')}\n`,
  ].join('\n');
}
