/** Times of the configuration as whole milliseconds: a fraction of one cannot be stored, and 8.03 × 1000 is none exactly. */
export const secondsInMs = (seconds: number): number => Math.round(seconds * 1000);
export const minutesInMs = (minutes: number): number => Math.round(minutes * 60_000);
export const daysInMs = (days: number): number => Math.round(days * 86_400_000);
