/** What keeps the benchmark from running or a number from counting, in a sentence for whoever started it. */
export class BenchError extends Error {
  override readonly name = 'BenchError'
}
