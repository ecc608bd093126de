import type { Notification, Simulator } from '@apnsd/simulator'

/**
 * Passes on each answer of a simulator once, in order, and has the simulator forget it, so that it can go on for hours.
 * Ends when the simulator is closed.
 */
export async function feedAnswers(
  simulator: Simulator,
  take: (answer: Notification) => void,
): Promise<void> {
  for (;;) {
    for (const answer of simulator.answers()) take(answer)
    simulator.clearNotifications()
    try {
      await simulator.waitForAnswers(simulator.totals.answers + 1)
    } catch {
      return // it was closed
    }
  }
}
