import { Command } from '@commander-js/extra-typings';
import type { ProjectId } from '../../core/model/index.ts';
import { OrchError } from '../../core/model/index.ts';
import type { CommandContext, CommandModule } from '../shared/contract.ts';

export const define: CommandModule['define'] = (context) =>
  new Command('project')
    .description(
      'Projects that are no longer in the configuration: their tasks rest until the project is back, or is removed here.',
    )
    .addCommand(
      new Command('remove')
        .description(
          'Drops the tasks of a project that was taken out of the configuration: they end as cancelled, and nothing of them is done any more. Branches, workspaces and what is in Plane stay.',
        )
        .argument('<project>', 'Plane id of the project, or the prefix of its task ids')
        .addHelpText(
          'after',
          `
Examples:
  $ orch project remove SHOP
  $ orch project remove 5884114d-0000-4000-8000-000000000001`,
        )
        .action(async (name) => removeProject(context, name)),
    );

/** @throws OrchError `project_configured`, `project_unknown`, `project_ambiguous` */
export async function removeProject(context: CommandContext, name: string): Promise<void> {
  const { withStore, operator } = await import('../shared/open.ts');
  await withStore(context, async (store, config) => {
    const rows = await store.tasks({});
    const wanted = name.trim().toLowerCase();
    const matches = (projectId: string, prefix: string): boolean =>
      projectId.toLowerCase() === wanted || prefix.toLowerCase() === wanted;
    const configured = new Set<string>(config.projects.map(({ projectId }) => projectId));
    const found = new Set<ProjectId>();
    for (const { task } of rows)
      if (!configured.has(task.projectId) && matches(task.projectId, task.id.slice(0, task.id.lastIndexOf('-'))))
        found.add(task.projectId);
    const [projectId, ...others] = found;
    if (projectId === undefined) {
      if (config.projects.some((project) => matches(project.projectId, project.prefix)))
        throw new OrchError(`project ${name} is configured`, {
          code: 'project_configured',
          hint: 'Take it out of the configuration first, and restart poller and worker.',
        });
      throw new OrchError(`no task belongs to a project "${name}" that is not configured`, {
        code: 'project_unknown',
        hint: '`orch status` names the projects whose tasks rest.',
      });
    }
    if (others.length > 0)
      throw new OrchError(`${found.size} projects that are not configured have the prefix ${name}`, {
        code: 'project_ambiguous',
        hint: `Name one by its id: ${[...found].join(', ')}.`,
      });
    const ended = await store.dropProject(projectId, operator(context.env));
    context.output.line(
      ended.length === 0
        ? `project ${projectId} is removed`
        : `project ${projectId} is removed; ended: ${ended.join(', ')}`,
    );
    context.output.json({ project_id: projectId, ended });
  });
}
