import type { CombinedStatus, CommitStatus } from 'gitea-js';
import type { Forge, StatusRow } from '../../model/index.ts';
import type { Fields } from '../http/decode.ts';
import type { GiteaApi } from './api.ts';
import { pageSize, readPages } from './pages.ts';
import { ownerAndName } from './repos.ts';

/**
 * Newest status of every context of a commit. The combined status is asked for by its full sha and its own `state` is
 * not used: it covers one page only and means different things in different versions; an old failure may hide on page 2.
 */
export function createStatuses(api: GiteaApi): Forge['statuses'] {
  return async (slug, sha) => {
    const rows = await readPages(api, {
      fetch: (page) =>
        api.send((client) =>
          client.repos.repoGetCombinedStatusByRef(...ownerAndName(slug), sha, { page, limit: pageSize }),
        ),
      rows: (value, answer) => {
        const combined = api.decoder(answer).record<CombinedStatus>(value, 'combined status');
        const answered = combined.textOrNull('sha') ?? '';
        if (answered !== '' && answered !== sha) throw api.garbage(answer, 'the status of another commit');
        return combined.raw('statuses');
      },
      row: statusOf,
      key: (status) => status.id,
    });
    return newestPerContext(rows);
  };
}

/** By id, not by time: several statuses of one context may fall into one second. */
function newestPerContext(rows: StatusRow[]): StatusRow[] {
  const byContext = new Map<string, StatusRow>();
  for (const row of rows) {
    const known = byContext.get(row.context);
    if (known === undefined || row.id > known.id) byContext.set(row.context, row);
  }
  return [...byContext.values()];
}

/** Gitea's words are pending, success, error, failure, warning and skipped; what is none of orch's fails (spec 3.1). */
function stateOf(word: string): StatusRow['state'] {
  if (word === 'success') return 'passed';
  return word === 'pending' || word === 'skipped' ? word : 'failed';
}

function statusOf(fields: Fields<CommitStatus>): StatusRow {
  return {
    id: fields.integer('id'),
    context: fields.text('context'),
    state: stateOf(fields.text('status')),
    description: fields.textOrNull('description') ?? '',
    url: fields.textOrNull('target_url') ?? '',
  };
}
