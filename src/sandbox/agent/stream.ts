import { writeSync } from 'node:fs';
import type { AgentStep } from './script.ts';

/** Printed synchronously: what was said before a crash has been said. */
export function emit(event: Record<string, unknown>): void {
  emitLine(JSON.stringify(event));
}

export function emitLine(line: string): void {
  writeSync(1, `${line}\n`);
}

/** First event of a run, as Claude Code prints it. */
export function initEvent(session: string, cwd: string): Record<string, unknown> {
  return {
    type: 'system',
    subtype: 'init',
    cwd,
    session_id: session,
    model: 'scripted',
    tools: ['Read', 'Write', 'Edit', 'Bash'],
    mcp_servers: [],
    permissionMode: 'default',
    apiKeySource: 'none',
    claude_code_version: '0.0.0-scripted',
  };
}

export function assistantEvent(session: string, text: string): Record<string, unknown> {
  return {
    type: 'assistant',
    message: { role: 'assistant', model: 'scripted', content: [{ type: 'text', text }] },
    parent_tool_use_id: null,
    session_id: session,
  };
}

/** Events and exit status of a run that fails for a reason outside of it, in the shapes of CLI 2.1.197. */
interface Trouble {
  before: Record<string, unknown>[];
  result: Record<string, unknown>;
}

function apiError(status: number, text: string): Trouble {
  const retry = {
    type: 'system',
    subtype: 'api_retry',
    attempt: 1,
    max_retries: 10,
    retry_delay_ms: 500,
    error_status: status,
  };
  return {
    before: [retry],
    result: {
      is_error: true,
      subtype: 'success',
      api_error_status: status,
      result: text,
      terminal_reason: 'api_error',
    },
  };
}

function troubleOf(step: AgentStep): Trouble | null {
  switch (step.act) {
    case 'rate-limit':
      return apiError(429, 'API Error: Server is temporarily limiting requests (not your usage limit)');
    case 'overloaded':
      return apiError(529, 'API Error: Repeated 529 Overloaded errors');
    case 'auth':
      return apiError(401, 'Login expired · Please run /login');
    case 'usage-limit': {
      const resetsAt = step.resetsAt ?? Math.floor(Date.now() / 1000) + 3600;
      const limit = { status: 'rejected', resetsAt, rateLimitType: 'five_hour', overageStatus: 'rejected' };
      const trouble = apiError(429, "You've hit your session limit · resets 3:45pm");
      return { ...trouble, before: [{ type: 'rate_limit_event', rate_limit_info: limit }] };
    }
    case 'max-turns':
      return {
        before: [],
        result: {
          is_error: true,
          subtype: 'error_max_turns',
          terminal_reason: 'max_turns',
          errors: ['Reached maximum number of turns'],
        },
      };
    default:
      return null;
  }
}

/** The end of the stream and the exit status that goes with it; `no-result` ends without one. */
export function ending(
  step: AgentStep,
  session: string,
  summary: string,
): { events: Record<string, unknown>[]; exit: number } {
  if (step.act === 'no-result') return { events: [], exit: 0 };
  const trouble = troubleOf(step);
  const result = {
    type: 'result',
    subtype: 'success',
    is_error: false,
    api_error_status: null,
    duration_ms: 1000,
    duration_api_ms: 800,
    num_turns: 3,
    result: summary,
    session_id: session,
    total_cost_usd: step.cost ?? 0.05,
    usage: { input_tokens: 1200, output_tokens: 300 },
    modelUsage: {},
    permission_denials: [],
    terminal_reason: 'completed',
    ...trouble?.result,
    ...step.event,
  };
  return {
    events: [...(trouble?.before ?? []).map((event) => ({ ...event, session_id: session })), result],
    exit: trouble === null ? 0 : 1,
  };
}
