import type { Api } from 'gitea-js';
import type { OrchError } from '../../model/index.ts';
import type { Decoder } from '../http/decode.ts';
import { createDecoder } from '../http/decode.ts';
import { jsonOf, messageOf } from '../http/json.ts';
import { baseAddress } from '../../platform/address.ts';
import type { Http, HttpAnswer, PeerErrors } from '../http/types.ts';

type GiteaClient = Api<unknown>;

/** What the resources of Gitea share: a gitea-js client over orch's transport, and the meaning of an answer. */
export interface GiteaApi {
  /** Any complete answer, whatever its status. @throws OrchError `gitea_unreachable`, `gitea_garbage` */
  send(call: (client: GiteaClient) => Promise<unknown>): Promise<HttpAnswer>;
  /** JSON of a 2xx answer; throws the error of any other. */
  accept(answer: HttpAnswer): unknown;
  failure(answer: HttpAnswer): OrchError;
  message(answer: HttpAnswer): string;
  decoder(answer: HttpAnswer): Decoder;
  garbage(answer: HttpAnswer, detail: string): OrchError;
}

/**
 * A gitea-js client whose `fetch` is orch's transport. gitea-js rejects with the fetch `Response` on any other status
 * than 2xx, and reads an empty body as a syntax error; so the answer is kept together with the `Response` and judged here, and
 * gitea-js only builds the request.
 */
export function createGiteaApi(options: {
  url: string;
  token: () => string;
  http: Http;
  errors: PeerErrors;
}): GiteaApi {
  const { errors } = options;
  const answers = new WeakMap<object, HttpAnswer>();
  const customFetch: typeof fetch = async (input, init) => {
    const answer = await options.http({
      method: init?.method ?? 'GET',
      url: addressOf(input),
      headers: {
        authorization: `token ${options.token()}`,
        ...(init?.body === null || init?.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(typeof init?.body === 'string' ? { body: init.body } : {}),
    });
    if (answer.status < 200 || answer.status > 599) throw errors.garbage(answer.what, `HTTP ${answer.status}`);
    // These may carry no body, says the constructor.
    const bare = answer.status === 204 || answer.status === 205 || answer.status === 304;
    const response = new Response(bare ? null : answer.text, { status: answer.status });
    answers.set(response, answer);
    return response;
  };
  let client: Promise<GiteaClient> | null = null;
  const open = async (): Promise<GiteaClient> => {
    const { giteaApi } = await import('gitea-js');
    return giteaApi(baseAddress(options.url), { customFetch });
  };
  return {
    send: async (call) => {
      client ??= open();
      const api = await client;
      try {
        return known(answers, await call(api));
      } catch (error) {
        if (!(error instanceof Response)) throw error;
        return known(answers, error);
      }
    },
    accept: (answer) => {
      if (answer.status < 200 || answer.status > 299) throw failure(answer, errors);
      return jsonOf(answer, errors);
    },
    failure: (answer) => failure(answer, errors),
    message: (answer) => errors.excerpt(messageOf(answer, ['message'])),
    decoder: (answer) => createDecoder((detail) => errors.garbage(answer.what, detail)),
    garbage: (answer, detail) => errors.garbage(answer.what, detail),
  };
}

function addressOf(input: string | URL | Request): string {
  if (typeof input === 'string') return input;
  return input instanceof URL ? input.href : input.url;
}

function known(answers: WeakMap<object, HttpAnswer>, response: unknown): HttpAnswer {
  const answer = typeof response === 'object' && response !== null ? answers.get(response) : undefined;
  if (answer === undefined) throw new Error('gitea-js answered with something other than its Response');
  return answer;
}

function failure(answer: HttpAnswer, errors: PeerErrors): OrchError {
  const message = messageOf(answer, ['message']);
  if (answer.status === 403 && message.includes('required scope')) {
    return errors.refusal(answer, message, {
      code: 'gitea_token_refused',
      hint: 'Make a token with the scopes write:repository, read:user and, for labels and comments, read:issue.',
    });
  }
  if (answer.status === 403 && message !== '') {
    return errors.refusal(answer, message, {
      code: 'gitea_forbidden',
      hint: "Give the token's account write access to the repository.",
    });
  }
  if (answer.status === 423) {
    return errors.refusal(answer, message, {
      code: 'gitea_refused',
      hint: 'The repository is archived: unarchive it.',
    });
  }
  return errors.ofStatus(answer, message);
}
