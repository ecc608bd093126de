import type { SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite'

export type Row = Record<string, SQLOutputValue>

/** A prepared statement. Every call of it throws `storage-failed` where the disk or the file fails. */
export class Statement {
  readonly #statement: StatementSync
  readonly #failed: (error: unknown) => unknown

  /** @param failed turns what SQLite threw into what is thrown instead */
  constructor(statement: StatementSync, failed: (error: unknown) => unknown) {
    this.#statement = statement
    this.#failed = failed
  }

  run(...values: SQLInputValue[]): { changes: number | bigint; lastInsertRowid: number | bigint } {
    try {
      return this.#statement.run(...values)
    } catch (error) {
      throw this.#failed(error)
    }
  }

  get(...values: SQLInputValue[]): Row | undefined {
    try {
      return this.#statement.get(...values)
    } catch (error) {
      throw this.#failed(error)
    }
  }

  all(...values: SQLInputValue[]): Row[] {
    try {
      return this.#statement.all(...values)
    } catch (error) {
      throw this.#failed(error)
    }
  }

  /** Reads row by row, for as long as somebody asks. */
  *iterate(...values: SQLInputValue[]): Generator<Row> {
    try {
      yield* this.#statement.iterate(...values)
    } catch (error) {
      this.#forgetError(values)
      throw this.#failed(error)
    }
  }

  /** After it has failed row by row, node:sqlite throws the same once more at the next use [Node 24.21]: this is it. */
  #forgetError(values: SQLInputValue[]): void {
    try {
      this.#statement.get(...values)
    } catch {
      // it was thrown before
    }
  }
}
