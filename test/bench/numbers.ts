/** The value below which this share of the samples lies (nearest rank), from 0 to 1; NaN without samples. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const rank = Math.max(1, Math.ceil(share * sorted.length));
  return sorted[rank - 1] ?? Number.NaN;
}

/** The middle sample, or the mean of the two in the middle. */
export function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] ?? Number.NaN;
  return (lower + upper) / 2;
}

/**
 * Median of the ratios of each round. What ran in one round ran under the same load, so a machine that was busy for a
 * while moves both sides of a ratio and leaves the ratio alone. Rounds that one side lacks are left out.
 */
export function pairedRatio(above: readonly number[], below: readonly number[]): number {
  const rounds = Math.min(above.length, below.length);
  return median(Array.from({ length: rounds }, (_, round) => (above[round] ?? 0) / (below[round] ?? 0)));
}

/** Three significant digits, thousands set apart: `12 345`, `0.482`, `17.3`; `–` for what was not measured. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (Math.abs(value) >= 1000) return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ' ');
  return String(Number(value.toPrecision(3)));
}

/** Milliseconds during which at least one of the calls was under way. */
export function busyMs(calls: readonly { from: number; to: number }[], from: number, to: number): number {
  let total = 0;
  let reached = from;
  for (const call of [...calls].sort((a, b) => a.from - b.from)) {
    const start = Math.max(call.from, reached);
    const end = Math.min(call.to, to);
    if (end <= start) continue;
    total += end - start;
    reached = end;
  }
  return total;
}
