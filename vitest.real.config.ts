import { defineConfig } from 'vitest/config';

/** The tests against real peers: the Claude Code CLI and a Gitea server built from source. */
export default defineConfig({
  test: {
    include: ['test/real/**/*.test.ts'],
    // A machine that is shared with other work may be slow for a minute: continuous integration tries a failed test once more.
    retry: process.env['CI'] === undefined ? 0 : 1,
    testTimeout: 600_000,
    hookTimeout: 900_000,
    maxWorkers: 1,
    fileParallelism: false,
  },
});
