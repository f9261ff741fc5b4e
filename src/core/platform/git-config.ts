/** The text of a git configuration file. @param settings by name (`core.bare`); of one that is there twice, git takes the later */
export function gitConfigText(settings: [string, string][]): string {
  return settings.map(([key, value]) => lines(key, value)).join('');
}

/** One setting; a subsection may hold dots (`url.https://a.b/.insteadOf`). */
function lines(key: string, value: string): string {
  const [section, name] = [key.slice(0, key.indexOf('.')), key.slice(key.lastIndexOf('.') + 1)];
  const within = key.slice(section.length + 1, -name.length - 1);
  return `[${section}${within === '' ? '' : ` "${escaped(within)}"`}]\n\t${name} = "${escaped(value)}"\n`;
}

function escaped(text: string): string {
  return text.replace(/["\\]/g, '\\$&').replaceAll('\n', '\\n');
}
