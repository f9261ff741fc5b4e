import type { Links } from '../model/index.ts';
import { giteaAddresses } from './gitea/addresses.ts';
import { planeAddresses } from './plane/addresses.ts';

/** Addresses that people follow, made from the configuration only: nothing is asked. */
export function linksOf(config: {
  plane: { publicUrl: string; workspace: string };
  gitea: { publicUrl: string };
}): Links {
  return {
    ...planeAddresses(config.plane.publicUrl, config.plane.workspace),
    ...giteaAddresses(config.gitea.publicUrl),
  };
}
