/**
 * What a server does instead of answering. `saved-…` lets the request take effect first: that is how a lost answer looks
 * from outside, and why every sender has to look before it sends again.
 */
export type FaultAction =
  | { kind: 'answer'; status: number; body?: unknown; headers?: Record<string, string> }
  | { kind: 'hang' }
  | { kind: 'delay'; ms: number }
  | { kind: 'reset' }
  | { kind: 'html' }
  | { kind: 'truncated' }
  /** The list that was asked for, without its rows: its envelope and headers still say that there are some. */
  | { kind: 'emptied' }
  | { kind: 'saved-answer'; status: number; body?: unknown; headers?: Record<string, string> }
  | { kind: 'saved-reset' }
  | { kind: 'saved-hang' };

export interface FaultRule {
  /** Tested against `METHOD /path?query`. */
  match: RegExp;
  /** How many requests it hits; `Infinity` until it is taken out. */
  times: number;
  /** How many matching requests pass before the first hit. */
  skip?: number;
  action: FaultAction;
}

/** The rule that hits this request, used up by one; the first rule in the list wins. */
export function takeFault(rules: FaultRule[], method: string, target: string): FaultAction | null {
  const line = `${method} ${target}`;
  for (const rule of rules) {
    if (rule.times <= 0 || !rule.match.test(line)) continue;
    if ((rule.skip ?? 0) > 0) {
      rule.skip = (rule.skip ?? 0) - 1;
      continue;
    }
    rule.times -= 1;
    return rule.action;
  }
  return null;
}
