/** Builds Gitea once per machine; `missing` says why it cannot be had. */
export function ensureGitea(): Promise<{ binary: string; staticRoot: string } | { missing: string }>;
