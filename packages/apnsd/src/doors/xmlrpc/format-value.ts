import { Base64, DateTime, type XmlRpcValue } from './values.ts'

const MAX_INT = 0x7fff_ffff
const MIN_INT = -0x8000_0000

/**
 * Writes a value as `<value>…</value>`: integers as `int`, past 32 bits as `i8`; all other numbers as `double`.
 * @throws {RangeError} at a bigint past 64 bits, and a date outside of the years 0 to 9999.
 */
export function formatValue(value: XmlRpcValue): string {
  return `<value>${formatTyped(value)}</value>`
}

function formatTyped(value: XmlRpcValue): string {
  if (value === null) return '<nil/>'
  if (value instanceof DateTime) {
    return `<dateTime.iso8601>${formatDateTime(value)}</dateTime.iso8601>`
  }
  if (value instanceof Base64) {
    return `<base64>${Buffer.from(value.bytes).toString('base64')}</base64>`
  }
  if (Array.isArray(value)) return `<array><data>${value.map(formatValue).join('')}</data></array>`
  if (typeof value === 'string') return `<string>${escapeText(value)}</string>`
  if (typeof value === 'number') return formatNumber(value)
  if (typeof value === 'bigint') return formatBigInt(value)
  if (typeof value === 'boolean') return `<boolean>${value ? 1 : 0}</boolean>`
  return `<struct>${Object.entries(value).map(formatMember).join('')}</struct>`
}

function formatMember([name, value]: [string, XmlRpcValue]): string {
  return `<member><name>${escapeText(name)}</name>${formatValue(value)}</member>`
}

function formatNumber(value: number): string {
  if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
    return `<double>${formatDouble(value)}</double>`
  }
  return value >= MIN_INT && value <= MAX_INT ? `<int>${value}</int>` : `<i8>${value}</i8>`
}

/** XML-RPC has no word for what is not finite: these are Python's. */
function formatDouble(value: number): string {
  if (Number.isNaN(value)) return 'nan'
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
  return Object.is(value, -0) ? '-0.0' : String(value)
}

function formatBigInt(value: bigint): string {
  if (BigInt.asIntN(64, value) !== value)
    throw new RangeError('XML-RPC has no integer past 64 bits')
  return value >= MIN_INT && value <= MAX_INT ? `<int>${value}</int>` : `<i8>${value}</i8>`
}

/** `20231114T22:13:20`, UTC, without a zone: pyapns wrote its server's local time, which no client could know. */
function formatDateTime({ epochS }: DateTime): string {
  const iso = new Date(epochS * 1000).toISOString()
  if (iso.length !== '2023-11-14T22:13:20.000Z'.length) {
    throw new RangeError('XML-RPC has four digits for a year')
  }
  return iso.slice(0, 19).replaceAll('-', '')
}

/** What must not stand as it is: markup, a CR (it would come out as LF), and what XML 1.0 §2.2 has no place for. */
// oxlint-disable-next-line no-control-regex -- these are the characters to find
const SPECIAL = /[&<>\r\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '\r': '&#13;',
}

/**
 * Writes text as XML. Every `>` is escaped, so that `]]>` cannot come about; a character that XML cannot carry at all,
 * such as U+0000 or half of a surrogate pair, becomes U+FFFD.
 */
export function escapeText(text: string): string {
  return text.toWellFormed().replace(SPECIAL, (character) => ESCAPES[character] ?? '\ufffd')
}
