/**
 * What all processes and hosts have asked of the tracker within its minute, and how long it wants to be left alone. Kept by the store;
 * in memory where there is none.
 */
export interface RequestLedger {
  /**
   * Reserves requests, to be sent at once: see `spendMs`.
   * @param want how many, at most; fewer are given where few are left
   * @param perMinute what the budget allows in any minute
   * @returns `waitMs`: nothing is left, or the server wants to be left alone, for so many milliseconds
   */
  reserve(want: number, perMinute: number): Promise<{ id: number; n: number } | { waitMs: number }>;
  /** Gives back what was not sent of a reservation. @param spent how many were */
  giveBack(id: number, spent: number): Promise<void>;
  /** Nobody sends anything for so many milliseconds: the server said so, whatever was counted here. */
  hold(ms: number): Promise<void>;
  /** How long the server wants to be left alone, milliseconds; 0: it does not. */
  heldMs(): Promise<number>;
  /** Requests that nobody has reserved. */
  left(perMinute: number): Promise<number>;
}
