import type { ErrorCode, OrchError } from '../../model/index.ts';

export interface HttpRequest {
  method: string;
  url: string;
  /** What was asked, for messages; default method and path. Needed where the path holds a secret. */
  what?: string;
  /** Secrets travel here and nowhere else. */
  headers: Record<string, string>;
  body?: string;
}

/** Any complete answer, whatever its status. */
export interface HttpAnswer {
  status: number;
  /** Names in lower case. */
  headers: Record<string, string>;
  text: string;
  /** What was asked, as in the request. */
  what: string;
}

/** Makes the errors of one peer. Texts of the peer are cut to one escaped line and redacted before they get in. */
export interface PeerErrors {
  /** `<peer>_unreachable`, to be tried again; `hint` where the reason is known. */
  unreachable(what: string, detail: string, hint?: string): OrchError;
  /** `<peer>_garbage`: an answer that cannot be understood, to be tried again. */
  garbage(what: string, detail: string): OrchError;
  /** `<peer>_too_large`: an answer larger than orch reads. */
  tooLarge(what: string, bytes: number): OrchError;
  /** The error of an answer that is not 2xx; `message` is what the server said, if it could be read. */
  ofStatus(answer: HttpAnswer, message: string): OrchError;
  /** Any other code of this peer, with the answer's status and text in its message. */
  refusal(answer: HttpAnswer, message: string, options: { code: ErrorCode; hint?: string }): OrchError;
  excerpt(text: string): string;
}

/** Sends one request. @throws OrchError `<peer>_unreachable` or `<peer>_garbage` when no complete answer came */
export type Http = (request: HttpRequest) => Promise<HttpAnswer>;
