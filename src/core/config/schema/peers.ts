import { z } from 'zod';
import { address, filePath } from './parts.ts';

export const planeSection = z
  .strictObject({
    url: address()
      .default('http://127.0.0.1:8080')
      .describe('Address of Plane, as orch reaches it; the API is below `/api/v1`.'),
    publicUrl: address().optional().describe('Address of Plane in links people follow. Default: `plane.url`.'),
    workspace: z
      .string()
      .regex(/^[A-Za-z0-9_-]*$/, 'must be the short name of a workspace as its address shows it')
      .default('')
      .describe('Short name (slug) of the Plane workspace. Needed as soon as a project is configured.'),
  })
  .prefault({})
  .describe('The issue tracker. Its token is a secret, see below.');

export const giteaSection = z
  .strictObject({
    url: address()
      .default('http://127.0.0.1:3000')
      .describe('Address of Gitea or Forgejo, as orch reaches it; the API is below `/api/v1`.'),
    publicUrl: address().optional().describe('Address of the server in links people follow. Default: `gitea.url`.'),
    cloneUrl: z
      .string()
      .regex(/^(https?|ssh):\/\/\S+$/, 'must begin with http://, https:// or ssh://')
      .refine((value) => !/^[a-z]+:\/\/[^/]*:[^/]*@/i.test(value), 'must not hold a password')
      .optional()
      .describe('Address git clones from and pushes to, without `/owner/name.git`. Default: `gitea.url`.'),
    reviewer: z
      .boolean()
      .optional()
      .describe(
        "Whether a second account posts the reviewer's verdict as a review of the pull request; its token is then needed. Default: true where that token is given.",
      ),
  })
  .prefault({})
  .describe('The git server. Its tokens are secrets, see below.');

export const telegramSection = z
  .strictObject({
    chatId: z
      .string()
      .regex(/^(-?\d+|@\w+)$/, 'must be the number of a chat (as a string) or @name')
      .optional()
      .describe('Chat that gets alerts and progress. Without it nothing is sent to Telegram.'),
    apiUrl: address().default('https://api.telegram.org').describe('Address of the Bot API.'),
  })
  .prefault({})
  .describe('Optional messages to a Telegram chat. The token of the bot is a secret, see below.');

export const tlsSection = z
  .strictObject({
    caFile: filePath()
      .optional()
      .describe(
        'PEM file of certificate authorities to trust in addition to the usual ones, for Plane, Gitea, git and Telegram. Default: `$NODE_EXTRA_CA_CERTS`.',
      ),
  })
  .prefault({})
  .describe('Servers whose certificates are signed by an authority of your own, see `docs/network.md`.');
