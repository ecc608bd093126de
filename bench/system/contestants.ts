/** How many notifications each sends in a run: so that a run takes two to four seconds with any of them. */
export const CONTESTANTS = {
  apnsd: { requests: 400_000 },
  'node-http2': { requests: 60_000 },
  'node-apn': { requests: 30_000 },
  apns2: { requests: 15_000 },
  h2load: { requests: 400_000 },
} as const satisfies Record<string, { readonly requests: number }>

export type ContestantName = keyof typeof CONTESTANTS

export const CONTESTANT_NAMES = Object.keys(CONTESTANTS) as readonly ContestantName[]
