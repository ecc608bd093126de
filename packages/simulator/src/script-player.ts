import type { Fault, Rule, Script } from './script.ts'
import { parseScript } from './script-parser.ts'

interface RuleState {
  rule: Rule
  /** Fitting requests still to let pass. */
  toSkip: number
  /** How often the rule may still be played. */
  left: number
}

/** Chooses the fault that each request meets, from the script that is playing. */
export class ScriptPlayer {
  #states: RuleState[] = []

  /**
   * Plays a script from its start, in place of the one before.
   * @throws {SimulatorError} BAD_INPUT when it is malformed; the one before goes on.
   */
  play(script: Script): void {
    this.#states = parseScript(script).map((rule) => ({
      rule: lowerCaseDeviceToken(rule),
      toSkip: rule.match?.nth ?? 0,
      left: rule.times ?? Number.POSITIVE_INFINITY,
    }))
  }

  /** Plays nothing any more. */
  clear(): void {
    this.#states = []
  }

  /** Takes the fault for a request, and counts it as played; null for none. */
  next(deviceToken: string, topic: string | null): Fault | null {
    for (const state of this.#states) {
      if (state.left === 0 || !fits(state.rule, deviceToken, topic)) continue
      if (state.toSkip > 0) {
        state.toSkip -= 1
        continue
      }
      state.left -= 1
      return state.rule.do
    }
    return null
  }
}

function fits({ match }: Rule, deviceToken: string, topic: string | null): boolean {
  if (match?.deviceToken !== undefined && match.deviceToken !== deviceToken) return false
  return match?.topic === undefined || match.topic === topic
}

function lowerCaseDeviceToken(rule: Rule): Rule {
  if (rule.match?.deviceToken === undefined) return rule
  return { ...rule, match: { ...rule.match, deviceToken: rule.match.deviceToken.toLowerCase() } }
}
