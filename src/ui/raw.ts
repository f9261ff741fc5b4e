import type { Output } from './output.ts';

/**
 * Bytes on stdout as they are: neither escaped nor redacted. Only for what the user asked for by name (`orch logs --raw`);
 * everything else goes through `Output`.
 */
export function printRaw(output: Output, bytes: Uint8Array): void {
  output.terminal.out.stream.write(bytes);
}
