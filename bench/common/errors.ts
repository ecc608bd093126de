/** What keeps the benchmark from running or a number from counting, in a sentence for whoever started it. */
export class BenchError extends Error {
  override readonly name: string = 'BenchError'
}

/** What is wrong with the command line. */
export class UsageError extends BenchError {
  override readonly name = 'UsageError'
}
