/** Micro-dollars for people: cents, or two digits more below ten cents, where most single runs are. */
export function dollars(micros: number): string {
  const value = micros / 1e6;
  return `$${value.toFixed(value !== 0 && Math.abs(value) < 0.1 ? 4 : 2)}`;
}
