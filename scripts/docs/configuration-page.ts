import { configKeys, sectionDescriptions, type ConfigKey } from '../../src/core/config/keys.ts';
import { legacyVariables } from '../../src/core/config/legacy.ts';
import { settingsJsonSchema } from '../../src/core/config/schema.ts';
import { secretForms } from '../../src/core/config/secrets.ts';
import { roleNames as roles } from '../../src/core/pipeline/stages/index.ts';
import { cell, code } from './markdown.ts';

function typeText(key: ConfigKey): string {
  const names = {
    string: 'text',
    number: 'number',
    integer: 'whole number',
    boolean: 'true/false',
    list: 'list',
    json: 'JSON',
  };
  const choices = key.choices.map(code).join(', ');
  const base = choices === '' ? names[key.type] : key.type === 'list' ? `list of ${choices}` : choices;
  return key.nullable ? `${base} or \`null\`` : base;
}

function defaultText(key: ConfigKey): string {
  if (key.required) return '**required**';
  if (key.default === undefined) return '–';
  if (key.default === '') return '(empty)';
  return code(typeof key.default === 'string' ? key.default : JSON.stringify(key.default));
}

/** The six roles have the same keys: one row stands for all of them. */
function withOneRole(keys: ConfigKey[]): ConfigKey[] {
  return keys.flatMap((key) => {
    const role = roles.find((name) => key.path.includes(`.roles.${name}.`));
    if (role === undefined) return [key];
    if (role !== roles[0]) return [];
    return [
      {
        ...key,
        path: key.path.replace(`.roles.${role}.`, '.roles.<role>.'),
        variable: key.variable?.replace(`_ROLES_${role.toUpperCase()}_`, '_ROLES_<ROLE>_') ?? null,
      },
    ];
  });
}

function table(keys: ConfigKey[]): string {
  const withVariables = keys.some((key) => key.variable !== null);
  const rows = keys.map((key) => {
    const variable = withVariables ? [key.variable === null ? '–' : code(key.variable)] : [];
    const cells = [code(key.path), typeText(key), defaultText(key), ...variable, key.description];
    return `| ${cells.map(cell).join(' | ')} |`;
  });
  const titles = ['key', 'type', 'default', ...(withVariables ? ['variable'] : []), 'meaning'];
  return [`| ${titles.join(' | ')} |`, `|${' --- |'.repeat(titles.length)}`, ...rows].join('\n');
}

const intro = `<!-- Made by \`npm run docs\` from src/core/config/schema. Do not edit. -->

# Configuration

\`orchestrator.config.json\`, checked strictly: an unknown key is an error, and \`orch config check\` reports every mistake at
once. Without a file the defaults hold. The first of these is used:

1. \`--config FILE\`
2. \`ORCH_CONFIG\`
3. \`orchestrator.config.json\` in the working folder or above it, up to the home folder or the root
4. \`/etc/orch/orchestrator.config.json\`

A file that nobody named (3 and 4) decides where tokens are sent, so it has to be yours: it and its folder belong to you or root and
nobody else can write them, and one inside a git repository has to be allowed once with \`orch config trust\`, again after each change.
\`orch init\` allows the file that it writes.

Flags win over variables, variables over the file, the file over the defaults; \`orch config show --origin\` says where each
value came from. Lists in variables are separated by commas or written as JSON. An empty variable counts as not given. Relative
paths are relative to the file, those from variables below the working folder. The JSON Schema for editors is
\`schema/orchestrator.config.schema.json\`.
`;

function secretsPart(): string {
  const rows = secretForms().map(
    ({ variable, credential, what }) =>
      `| ${what} | ${code(variable)} | ${code(`${variable}_FILE`)} | ${code(credential)} |`,
  );
  return `## Secrets

A secret never stands in the file: orch refuses one that does. The first of the three ways is used. The variable is for CI and
for trying out; services should use the credential (\`LoadCredential=\`) or a file with mode 0600. orch removes a variable
from its own environment once it has read it.

| secret | variable | path of a file | systemd credential |
| --- | --- | --- | --- |
${rows.join('\n')}
`;
}

function legacyPart(keys: ConfigKey[]): string {
  const current = (path: string): string => keys.find((key) => key.path === path)?.variable ?? '';
  const rows = [...legacyVariables].map(([name, path]) => `| ${code(name)} | ${code(path)} | ${code(current(path))} |`);
  return `## Variables of the replaced system

They keep their names where the thing still exists. Where both are given, the variable of today wins.

| old variable | key | variable of today |
| --- | --- | --- |
${rows.join('\n')}

\`ORCH_DB_PATH\`, \`ORCH_REPOS_DIR\`, \`ORCH_PROJECTS_JSON\`, \`ORCH_GITEA_URL\` and \`ORCH_TELEGRAM_CHAT_ID\` are the names of today.
\`ORCH_PROJECTS_JSON\` replaces the whole list of projects; it understands today's keys and the old ones: \`plane_project_id\`,
\`work_item_prefix\`, and a bare \`repo\` together with \`ORCH_GITEA_OWNER\`. Nothing corresponds to
\`ORCH_PLANE_WEBHOOK_SECRET\`, \`ORCH_GITEA_WEBHOOK_SECRET\` (orch receives nothing), \`ORCH_DEFAULT_REPO\` and
\`ORCH_PLANE_PROJECT_ID\` (every project is registered), and \`ORCH_HOST_REPOS_DIR\` (no sibling containers): remove them.
`;
}

/** Keys that one variable replaces as a whole. */
const whole = ['projects', 'stages'];

/** `docs/configuration.md`: every key with type, default, variable and meaning. */
export function configurationPage(): string {
  const schema = settingsJsonSchema();
  const all = configKeys(schema);
  const keys = withOneRole(all);
  const sections = sectionDescriptions(schema);
  const general = keys.filter((key) => !key.path.includes('.') && !whole.includes(key.path));
  const parts = [...sections].flatMap(([name, about]) => {
    const own = keys.filter((key) => key.path.startsWith(`${name}.`) || key.path.startsWith(`${name}[`));
    const list = keys.filter((key) => key.path === name && whole.includes(name));
    return own.length === 0 ? [] : [`## \`${name}\`\n\n${about}\n\n${table([...list, ...own])}\n`];
  });
  return [intro, `## General\n\n${table(general)}\n`, ...parts, secretsPart(), legacyPart(all)].join('\n');
}
