import { type ParseArgsOptionsConfig, parseArgs } from 'node:util'
import { UsageError } from './errors.ts'

/** Reads the words of the command line. @throws {UsageError} */
export function parseOptions<Options extends ParseArgsOptionsConfig>(
  args: readonly string[],
  options: Options,
) {
  try {
    return parseArgs({ args: [...args], options }).values
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : 'wrong'}; see --help`, {
      cause: error,
    })
  }
}

/** @returns null: not given. @throws {UsageError} */
export function readNumber(name: string, text: string | undefined, least: number): number | null {
  if (text === undefined) return null
  const value = text.trim() === '' ? Number.NaN : Number(text)
  if (!Number.isFinite(value) || value < least)
    throw new UsageError(
      `${name} takes a number${least === Number.MIN_VALUE ? ' above 0' : ` from ${least} on`}, not "${text}"`,
    )
  return value
}

/** @returns the names in the order of `known`; all of them where none is given. @throws {UsageError} */
export function readNames<Name extends string>(
  option: string,
  text: string | undefined,
  known: readonly Name[],
): readonly Name[] {
  if (text === undefined) return known
  const names = text.split(',').map((name) => name.trim())
  for (const name of names)
    if (!known.some((one) => one === name))
      throw new UsageError(`${option} knows ${known.join(', ')}, not "${name}"`)
  return known.filter((name) => names.includes(name))
}
