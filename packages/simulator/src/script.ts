/** Says which requests a rule is for; every field left out fits all. */
export interface Match {
  /** In any case. */
  deviceToken?: string
  /** The request's topic, or the default one of its certificate. */
  topic?: string
  /** How many fitting requests to let pass first. */
  nth?: number
}

/** Answers with a reason instead of what the request deserves. Neither a device nor `notifications()` gets it. */
export interface Reject {
  type: 'reject'
  /** Left out: Apple's status for the reason. Needed when the reason is not one of Apple's. */
  status?: number
  reason: string
  /** Milliseconds since the epoch. With status 410 and left out: now. */
  timestampMs?: number
  /** Sent as `retry-after`. */
  retryAfterS?: number
}

/** Resets the stream with REFUSED_STREAM: the request was not processed. */
export interface RefuseStream {
  type: 'refuseStream'
}

/** Leaves the request without an answer; its stream stays open. It was not processed. */
export interface NoAnswer {
  type: 'noAnswer'
}

/** Answers as usual, so much later. */
export interface Delay {
  type: 'delay'
  ms: number
}

/** Ends the connection with GOAWAY, once the streams that still count are answered. */
export interface GoAway {
  type: 'goaway'
  /** HTTP/2 error code; 0 (NO_ERROR) when left out. */
  code?: number
  /** Sent as debug data `{"reason":…}`; none when left out. */
  reason?: string
  /**
   * The last stream that counts. `this`: the request's own, which is answered after the GOAWAY. `previous`: the one
   * before, so that the request and all later ones were not processed.
   */
  lastStream: 'this' | 'previous'
}

/** Answers as usual, and announces another SETTINGS_MAX_CONCURRENT_STREAMS just before. */
export interface StreamLimit {
  type: 'streamLimit'
  limit: number
}

/** Destroys the connection's socket without a word. The request was not processed. */
export interface CloseConnection {
  type: 'closeConnection'
}

/** Is one thing that can go wrong at Apple's end. */
export type Fault =
  | Reject
  | RefuseStream
  | NoAnswer
  | Delay
  | GoAway
  | StreamLimit
  | CloseConnection

/** Plays a fault to the requests it is for. */
export interface Rule {
  match?: Match
  /** How often to play it; without end when left out. */
  times?: number
  do: Fault
}

/** Holds the faults to play. The first rule that fits a request and is not used up is played to it, and no other. */
export type Script = { rules: readonly Rule[] } | Rule | readonly Rule[]
