/** What JSON can say. `bigint` is an integer past 2^53, written out digit by digit. */
export type JsonValue = null | boolean | number | bigint | string | JsonValue[] | JsonObject
export interface JsonObject {
  [name: string]: JsonValue
}

/** V8 has had it since Node 22, TypeScript's library does not know it yet. */
const { rawJSON } = JSON as unknown as { rawJSON: (text: string) => unknown }

/** Encodes a payload as the compact JSON that goes to Apple: UTF-8, nothing escaped that need not be. */
export function encodePayload(payload: JsonObject): Buffer {
  return Buffer.from(formatPayload(payload), 'utf8')
}

/** A function that looks at each value makes it take three times as long; few payloads have what JSON cannot write. */
function formatPayload(payload: JsonObject): string {
  try {
    return JSON.stringify(payload)
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    return JSON.stringify(payload, (_name, value: unknown) =>
      typeof value === 'bigint' ? rawJSON(value.toString()) : value,
    )
  }
}

/** The `aps` dictionary of a payload, or null where it has none. */
export function apsOf(payload: JsonObject): JsonObject | null {
  const aps = payload['aps']
  return isJsonObject(aps) ? aps : null
}

export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
