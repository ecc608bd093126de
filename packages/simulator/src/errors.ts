/** Tells what a caller of the simulator did wrong; see `SimulatorError.code`. */
export type SimulatorErrorCode =
  /** A value handed to the simulator makes no sense; the message names the place. */
  | 'BAD_INPUT'
  /** The simulator was closed while somebody waited for it. */
  | 'CLOSED'
  /** There is no such thing. */
  | 'NOT_FOUND'

/** Reports what the simulator could not do for its caller. Faults played to a push client never become errors. */
export class SimulatorError extends Error {
  readonly code: SimulatorErrorCode

  constructor(code: SimulatorErrorCode, message: string) {
    super(message)
    this.name = 'SimulatorError'
    this.code = code
  }
}
