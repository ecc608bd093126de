import { setTimeout as sleep } from 'node:timers/promises'
import { growthOf } from '../../bench/system/soak.ts'
import { feedAnswers } from '../support/answer-feed.ts'
import { Chaos } from '../support/chaos.ts'
import { Inspector, type Memory } from '../support/inspector.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { checkOutcomes, type Outcomes } from './check-outcomes.ts'
import { Ledger } from './ledger.ts'
import { Load } from './load.ts'
import { SoakStage } from './soak-stage.ts'

export interface SoakOptions {
  /** How long there is load; what is still open then has more time. */
  readonly minutes: number
  readonly seed: number
  /** Notifications a second. */
  readonly rate: number
  readonly say: (line: string) => void
}

export interface SoakReport {
  readonly calls: number
  /** Notifications that the daemon said yes to. */
  readonly accepted: number
  readonly outcomes: Outcomes
  readonly sentTwice: number
  /** How many daemons there were, one after the other, and how they were ended. */
  readonly lives: number
  readonly ends: Readonly<Record<Signal, number>>
  readonly scripts: number
  readonly misdeeds: Readonly<Record<string, number>>
  /** Of the long life, evenly spread. */
  readonly memory: readonly Memory[]
  /** Heap and buffers after a collection of garbage: the last quarter of the long life to the second, medians. */
  readonly heapGrowth: number
  readonly rssGrowth: number
  /** What must not be; empty when all is well. */
  readonly problems: readonly string[]
}

type Signal = 'SIGTERM' | 'SIGKILL'

/** The part of the time in which daemons live a short while each; the rest is one long life. */
const RESTLESS_SHARE = 0.25
/** A short life lasts for so many answers. */
const SHORTEST_LIFE_ANSWERS = 100
const LONGEST_LIFE_ANSWERS = 1500
const SHARE_OF_KILLS = 0.6
const SAMPLES = 40
/** What met three faults waits for up to 40 s, and what was never answered for 30 s. */
const SETTLE_MS = 120_000

const APPS = [
  { id: 'certificate-1', kind: 'certificate', topic: 'com.example.one' },
  { id: 'certificate-2', kind: 'certificate', topic: 'com.example.two' },
  { id: 'token', kind: 'token', topic: 'com.example.three' },
] as const

/** Reasons with which the misbehaving stand-in ends a notification; see `Chaos`. */
const FINAL_REASONS = ['Unregistered', 'BadCollapseId']

/**
 * Holds a daemon under load for a while, with Apple's stand-in misbehaving, clients going away, and the daemon killed or
 * told to stop now and then. Tells in the end whether each notification it said yes to had one outcome, the right one,
 * and what its memory did in one long life.
 */
export async function soak(options: SoakOptions): Promise<SoakReport> {
  const stage = await SoakStage.open()
  try {
    for (const { id, kind, topic } of APPS) await stage.provision(id, kind, topic)
    return await new Soak(stage, options).run()
  } finally {
    await stage.close()
  }
}

class Soak {
  readonly #stage: SoakStage
  readonly #options: SoakOptions
  readonly #random: SeededRandom
  readonly #ledger = new Ledger(FINAL_REASONS)
  readonly #chaos: Chaos
  readonly #ends: Record<Signal, number> = { SIGTERM: 0, SIGKILL: 0 }

  constructor(stage: SoakStage, options: SoakOptions) {
    this.#stage = stage
    this.#options = options
    this.#random = new SeededRandom(options.seed)
    this.#chaos = new Chaos(stage.simulator, this.#random)
  }

  async run(): Promise<SoakReport> {
    void feedAnswers(this.#stage.simulator, (answer) => {
      this.#ledger.noteAnswer(answer)
      this.#chaos.noteAnswer()
    })
    const memory = await this.#underLoad()
    // whatever is under way, a silent stream among it, is in doubt now
    await this.#restart('SIGKILL')
    this.#chaos.end()
    await this.#settle()
    const outcomes = await checkOutcomes(await this.#stage.serving(), this.#ledger)
    await this.#end('SIGTERM')
    return this.#report(memory, outcomes)
  }

  async #underLoad(): Promise<Memory[]> {
    const { rate, minutes, say } = this.#options
    const durationMs = minutes * 60_000
    const load = new Load({
      stage: this.#stage,
      ledger: this.#ledger,
      random: this.#random,
      appIds: APPS.map(({ id }) => id),
      rate,
    })
    try {
      await Promise.race([load.failed, this.#restlessLives(durationMs * RESTLESS_SHARE)])
      say(
        `${this.#stage.lives} lives, ${this.#ledger.accepted} notifications taken; now a long one`,
      )
      const longLife = this.#longLife(durationMs * (1 - RESTLESS_SHARE))
      return await Promise.race([load.failed, longLife])
    } finally {
      await load.end()
    }
  }

  /** Ends daemons, by the one signal or the other, each after some answers. */
  async #restlessLives(durationMs: number): Promise<void> {
    const over = new AbortController()
    const timer = setTimeout(() => over.abort(), durationMs)
    const isOver = new Promise((resolve) => over.signal.addEventListener('abort', resolve))
    while (!over.signal.aborted) {
      const { simulator } = this.#stage
      const answers = this.#random.between(SHORTEST_LIFE_ANSWERS, LONGEST_LIFE_ANSWERS)
      await Promise.race([simulator.waitForAnswers(simulator.totals.answers + answers), isOver])
      await this.#restart(this.#random.chance(SHARE_OF_KILLS) ? 'SIGKILL' : 'SIGTERM')
    }
    clearTimeout(timer)
  }

  async #longLife(durationMs: number): Promise<Memory[]> {
    const inspector = await Inspector.connect(this.#stage.command)
    const samples: Memory[] = []
    while (samples.length < SAMPLES) {
      await sleep(durationMs / SAMPLES)
      samples.push(await inspector.memory())
      this.#sayMemory(samples)
    }
    inspector.close()
    return samples
  }

  #sayMemory(samples: readonly Memory[]): void {
    const last = samples.at(-1)
    if (last === undefined || samples.length % 10 !== 0) return
    const [rss, heap] = [last.rss, last.heapUsed + last.external].map(inMegabytes)
    const { accepted, open } = this.#ledger
    this.#options.say(`${accepted} taken, ${open} open; RSS ${rss} MB, heap and buffers ${heap} MB`)
  }

  async #restart(signal: Signal): Promise<void> {
    await this.#end(signal)
    await this.#stage.start()
  }

  async #end(signal: Signal): Promise<void> {
    this.#ends[signal] += 1
    const exitCode = await this.#stage.end(signal)
    if (signal === 'SIGTERM' && exitCode !== 0)
      this.#ledger.problems.push(`at SIGTERM the daemon ended with ${exitCode}`)
  }

  /** Waits until Apple's stand-in has ended everything that the daemon said yes to. */
  async #settle(): Promise<void> {
    this.#options.say(`the load is over; ${this.#ledger.open} still open`)
    const impatience = new AbortController()
    const tooLong = sleep(SETTLE_MS, undefined, impatience)
    await Promise.race([this.#ledger.settled(), tooLong])
    impatience.abort()
    if (this.#ledger.open > 0)
      throw new Error(`${this.#ledger.open} notifications never came to Apple: lost, or stuck`)
    this.#options.say('all have come to an end at Apple; now for what the daemon says of them')
  }

  #report(memory: readonly Memory[], outcomes: Outcomes): SoakReport {
    const { calls, accepted, sentTwice, problems } = this.#ledger
    return {
      calls: calls.length,
      accepted,
      outcomes,
      sentTwice,
      lives: this.#stage.lives,
      ends: this.#ends,
      scripts: this.#chaos.scripts,
      misdeeds: Object.fromEntries(this.#chaos.planned),
      memory,
      heapGrowth: growthOf(memory.map(({ heapUsed, external }) => heapUsed + external)),
      rssGrowth: growthOf(memory.map(({ rss }) => rss)),
      problems,
    }
  }
}

export const inMegabytes = (bytes: number): number => Math.round(bytes / 1e6)
