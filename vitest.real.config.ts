import { defineConfig } from 'vitest/config';

/** The tests against real peers: the Claude Code CLI and a Gitea server built from source. */
export default defineConfig({
  test: {
    globalSetup: 'test/support/build.ts',
    include: ['test/real/**/*.test.ts'],
    testTimeout: 600_000,
    hookTimeout: 900_000,
    maxWorkers: 1,
    fileParallelism: false,
  },
});
