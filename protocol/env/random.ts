/** Randomness; the production adapter is cryptographically secure. */
export interface Random {
  bytes(count: number): Uint8Array
  /** Uniform in [0, 1). */
  float(): number
}
