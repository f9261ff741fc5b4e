import type { Links } from '../../model/index.ts';

/** Addresses of Gitea's pages. @param base public address, without a slash at its end */
export function giteaAddresses(base: string): Omit<Links, 'item'> {
  const branch: Links['branch'] = (repo, name) =>
    `${base}/${repo}/src/branch/${name.split('/').map(encodeURIComponent).join('/')}`;
  return {
    branch,
    file: (repo, name, path) => `${branch(repo, name)}/${path}`,
    pull: (repo, number) => `${base}/${repo}/pulls/${number}`,
  };
}
