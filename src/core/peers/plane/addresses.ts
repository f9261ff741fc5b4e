import type { Links } from '../../model/index.ts';

/** Addresses of Plane's pages. @param base public address, without a slash at its end */
export function planeAddresses(base: string, workspace: string): Pick<Links, 'item'> {
  return { item: (projectId, itemId) => `${base}/${workspace}/projects/${projectId}/issues/${itemId}` };
}
