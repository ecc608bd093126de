import { ApnsdError, ERRORS, type ErrorCode } from '../../base/errors.ts'

interface Problem {
  readonly code?: string
  readonly detail?: string
  readonly hint?: string
  readonly place?: string
}

/** Whoever asks at a terminal does not wait longer. */
const TIMEOUT_MS = 30_000

/**
 * Asks a daemon over REST.
 * @param path with its query
 * @throws {ApnsdError} what the daemon answered; daemon-unreachable where none did
 */
export async function getJson<T>(daemonUrl: string, path: string): Promise<T> {
  const response = await fetchFrom(daemonUrl, path)
  const answer: unknown = await response.json().catch(() => null)
  if (response.ok && answer !== null) return answer as T
  throw toError(answer ?? {}, response.status, daemonUrl)
}

async function fetchFrom(daemonUrl: string, path: string): Promise<Response> {
  try {
    return await fetch(`${daemonUrl}${path}`, { signal: AbortSignal.timeout(TIMEOUT_MS) })
  } catch (cause) {
    throw new ApnsdError('daemon-unreachable', `No daemon answers at ${daemonUrl}.`, {
      hint: 'Start it with apnsd serve, or name its address with --url or APNSD_URL.',
      cause,
    })
  }
}

function toError(problem: Problem, status: number, daemonUrl: string): ApnsdError {
  const { code = '', detail, hint, place } = problem
  if (detail === undefined || !isErrorCode(code))
    return new ApnsdError(
      'daemon-unreachable',
      `What answers at ${daemonUrl} with status ${status} is no apnsd that this command understands.`,
      { hint: 'Name the daemon’s address with --url or APNSD_URL.' },
    )
  return new ApnsdError(code, detail, {
    ...(hint === undefined ? {} : { hint }),
    ...(place === undefined ? {} : { place }),
  })
}

const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(ERRORS, code)
