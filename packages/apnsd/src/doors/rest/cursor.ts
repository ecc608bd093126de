import { ApnsdError } from '../../base/errors.ts'

/**
 * Writes down where a reader goes on, so that nobody takes it for a number to count with: base64url of
 * `kind position owner`. It means the same after a restart.
 * @param kind what is read: `feedback`
 * @param owner whose it is, such as an app
 */
export function formatCursor(kind: string, owner: string, position: number): string {
  return Buffer.from(`${kind} ${position} ${owner}`).toString('base64url')
}

/**
 * Reads what {@link formatCursor} wrote, for the same kind and owner.
 * @throws {ApnsdError} invalid-argument
 */
export function parseCursor(kind: string, owner: string, cursor: string): number {
  const text = Buffer.from(cursor, 'base64url').toString()
  const [, ownKind, digits, ownOwner] = /^(\w+) (\d{1,15}) (.*)$/s.exec(text) ?? []
  const refuse = (what: string): ApnsdError =>
    new ApnsdError('invalid-argument', `The cursor ${what}.`, {
      place: '/after',
      hint: 'Give `next` of an earlier answer as it is, or leave it out to begin at the beginning.',
    })
  if (ownKind !== kind || Buffer.from(text).toString('base64url') !== cursor)
    throw refuse('is none of this call’s')
  if (ownOwner !== owner) throw refuse('belongs to another app')
  return Number(digits)
}
