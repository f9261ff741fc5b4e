import { Argument, Command, type CommandUnknownOpts } from '@commander-js/extra-typings';
import type { CommandContext } from '../shared/contract.ts';

const shells = ['bash', 'zsh', 'fish'] as const;

interface Word {
  word: string;
  about: string;
}

/** A command and what may follow it. The path is `/` and the names, `/config/show`; the program itself is empty. */
interface Node {
  path: string;
  commands: Word[];
  options: Word[];
  choices: Word[];
}

function nodesOf(command: CommandUnknownOpts, path: string, shared: Word[]): Node[] {
  const own = command.options.flatMap((option) =>
    [option.long, option.short].flatMap((word) => (word == null ? [] : [{ word, about: option.description }])),
  );
  const choices = command.registeredArguments.flatMap((argument) =>
    (argument.argChoices ?? []).map((word) => ({ word, about: argument.description })),
  );
  const commands = command.commands.map((child) => ({
    word: child.name(),
    about: child.summary() || child.description(),
  }));
  const node: Node = { path, commands, options: [...own, ...shared, { word: '--help', about: 'print help' }], choices };
  const inherited = path === '' ? own : shared;
  return [node, ...command.commands.flatMap((child) => nodesOf(child, `${path}/${child.name()}`, inherited))];
}

function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** Walks the words that are typed already down the tree; the same lines in bash and zsh. */
function walkCases(nodes: Node[]): string {
  return nodes
    .filter((node) => node.path !== '')
    .map((node) => `      ${quote(node.path)}) at=${quote(node.path)} ;;`)
    .join('\n');
}

function bash(nodes: Node[]): string {
  const words = nodes.map((node) => {
    const all = [...node.commands, ...node.choices, ...node.options].map(({ word }) => word).join(' ');
    return `    ${quote(node.path)}) words=${quote(all)} ;;`;
  });
  return `# bash completion of orch: put it into ~/.local/share/bash-completion/completions/orch
_orch() {
  local at='' words='' word i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    case "$at/$word" in
${walkCases(nodes)}
    esac
  done
  if [[ "\${COMP_WORDS[COMP_CWORD - 1]}" == '--config' ]]; then
    mapfile -t COMPREPLY < <(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}")
    return
  fi
  case "$at" in
${words.join('\n')}
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}")
}
complete -F _orch orch
`;
}

function zsh(nodes: Node[]): string {
  const entry = ({ word, about }: Word): string => quote(`${word.replaceAll(':', String.raw`\:`)}:${about}`);
  const words = nodes.map((node) => {
    const all = [...node.commands, ...node.choices, ...node.options].map(entry).join(' ');
    return `    ${quote(node.path)}) found=(${all}) ;;`;
  });
  return `#compdef orch
# zsh completion of orch: put it as _orch into a folder of $fpath
_orch() {
  local at='' word
  local -a before found
  before=("\${(@)words[2,CURRENT-1]}")
  if [[ "\${words[CURRENT-1]}" == '--config' ]]; then
    _files
    return
  fi
  for word in "\${before[@]}"; do
    case "$at/$word" in
${walkCases(nodes)}
    esac
  done
  case "$at" in
${words.join('\n')}
  esac
  _describe 'orch' found
}
if [[ "\$funcstack[1]" == '_orch' ]]; then _orch "\$@"; else compdef _orch orch; fi
`;
}

function fish(nodes: Node[]): string {
  const lines = nodes.flatMap((node) => {
    const condition = `-n ${quote(`test (__orch_at) = '${node.path}'`)}`;
    const arguments_ = [...node.commands, ...node.choices].map(
      ({ word, about }) => `complete -c orch -f ${condition} -a ${quote(word)} -d ${quote(about)}`,
    );
    const options = node.options.map(({ word, about }) => {
      const name = word.startsWith('--') ? `-l ${word.slice(2)}` : `-s ${word.slice(1)}`;
      return `complete -c orch ${condition} ${name} -d ${quote(about)}${word === '--config' ? ' -r -F' : ''}`;
    });
    return [...arguments_, ...options];
  });
  const cases = nodes.filter((node) => node.path !== '').map((node) => quote(node.path));
  return `# fish completion of orch: put it into ~/.config/fish/completions/orch.fish
function __orch_at
  set -l at ''
  for word in (commandline -opc)[2..-1]
    switch "$at/$word"
      case ${cases.join(' ')}
        set at "$at/$word"
    end
  end
  echo $at
end
complete -c orch -f
${lines.join('\n')}
`;
}

const writers = { bash, zsh, fish };

/** `orch completion bash|zsh|fish`: a static script made from the tree of commands. */
export function define(context: CommandContext): CommandUnknownOpts {
  return new Command('completion')
    .description('Print a completion script for a shell.')
    .addArgument(new Argument('<shell>', 'which shell').choices(shells))
    .addHelpText(
      'after',
      `
Examples:
  $ orch completion bash > ~/.local/share/bash-completion/completions/orch
  $ orch completion zsh > ~/.zfunc/_orch
  $ orch completion fish > ~/.config/fish/completions/orch.fish`,
    )
    .action(async (shell) => {
      const script = writers[shell](nodesOf(await context.fullProgram(), '', []));
      if (context.output.asJson) context.output.json({ shell, script });
      else context.output.data(script);
    });
}
