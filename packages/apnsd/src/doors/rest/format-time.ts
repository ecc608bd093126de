/** Writes a time as JSON's readers expect it: ISO 8601, UTC, to the millisecond. */
export const formatTime = (ms: number): string => new Date(ms).toISOString()
