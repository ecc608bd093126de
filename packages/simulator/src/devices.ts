import { BoundedMap } from './bounded-map.ts'
import { bundleIdOfTopic } from './push-types.ts'
import type { Death } from './validation.ts'

/** Screens kept. With the bound below that is some 100 MB of ordinary alerts, and never more than 2 GB. */
const MAX_SCREENS = 20_000
/** Notifications a screen shows; a real one drops old ones too. */
const MAX_SHOWN = 10
/** Device tokens whose app, or whose death, is remembered: two short strings each. */
const MAX_DEVICE_TOKENS = 200_000

/** Holds the texts of an alert; a localised text stands for itself as its key. */
export interface Alert {
  title: string | null
  subtitle: string | null
  body: string | null
}

/** Holds one notification in a device's list. */
export interface ShownNotification extends Alert {
  apnsId: string
  collapseId: string | null
  receivedAtMs: number
}

/** Shows what a person would see on a device, of one app. */
export interface DeviceScreen {
  deviceToken: string
  /** Topic of the last notification; null before the first. */
  topic: string | null
  /** Set once the device token was killed: it takes nothing any more. */
  dead: Death | null
  /** Last alert shown. */
  alert: Alert | null
  /** Kept until another notification changes it; null for none. */
  badge: number | null
  /** Sound of the last notification; null for silent. */
  sound: string | null
  /** Push type of the last notification, of whatever type; null when it named none. */
  pushType: string | null
  /** Oldest first; one with the same collapse identifier takes the place of the one before. */
  notifications: ShownNotification[]
}

/** Holds an accepted notification, as a device gets it. */
export interface Delivery {
  deviceToken: string
  topic: string
  pushType: string | undefined
  collapseId: string | undefined
  apnsId: string
  receivedAtMs: number
  payload: unknown
}

/** Keeps a virtual device for each device token. Device tokens come in lower case throughout. */
export class Devices {
  readonly #bundleIds = new BoundedMap<string>(MAX_DEVICE_TOKENS)
  readonly #deaths = new BoundedMap<Death>(MAX_DEVICE_TOKENS)
  readonly #screens = new BoundedMap<DeviceScreen>(MAX_SCREENS)

  /** Has a device get a notification. The first one ties its device token to an app. */
  deliver(delivery: Delivery): void {
    const { deviceToken, topic } = delivery
    if (this.#bundleIds.get(deviceToken) === undefined) {
      this.#bundleIds.set(deviceToken, bundleIdOfTopic(topic))
    }
    let screen = this.#screens.get(deviceToken)
    if (screen === undefined) {
      screen = blankScreen(deviceToken)
      this.#screens.set(deviceToken, screen)
    }
    show(screen, delivery)
  }

  /** Makes a device token answer 410 from now on. */
  kill(deviceToken: string, death: Death): void {
    this.#deaths.set(deviceToken, death)
  }

  deathOf(deviceToken: string): Death | undefined {
    return this.#deaths.get(deviceToken)
  }

  bundleIdOf(deviceToken: string): string | undefined {
    return this.#bundleIds.get(deviceToken)
  }

  /** Copies a device's screen; undefined when the device token was neither used nor killed. */
  screen(deviceToken: string): DeviceScreen | undefined {
    const death = this.#deaths.get(deviceToken)
    const screen = this.#screens.get(deviceToken)
    if (screen === undefined && death === undefined) return undefined
    return structuredClone({ ...(screen ?? blankScreen(deviceToken)), dead: death ?? null })
  }
}

function blankScreen(deviceToken: string): DeviceScreen {
  return {
    deviceToken,
    topic: null,
    dead: null,
    alert: null,
    badge: null,
    sound: null,
    pushType: null,
    notifications: [],
  }
}

/** Only alerts reach the screen; what other push types do (a call, a widget) is up to the app. */
function show(screen: DeviceScreen, delivery: Delivery): void {
  const { topic, pushType } = delivery
  screen.topic = topic
  screen.pushType = pushType ?? null
  if (pushType !== undefined && pushType !== 'alert') return
  const aps = record(record(delivery.payload)['aps'])
  const { badge } = aps
  if (typeof badge === 'number') screen.badge = badge === 0 ? null : badge
  screen.sound = readSound(aps['sound'])
  const alert = readAlert(aps['alert'])
  if (alert === null) return
  screen.alert = alert
  list(screen, alert, delivery)
}

function list(screen: DeviceScreen, alert: Alert, delivery: Delivery): void {
  const collapseId = delivery.collapseId ?? null
  const before =
    collapseId === null
      ? screen.notifications
      : screen.notifications.filter((shown) => shown.collapseId !== collapseId)
  const { apnsId, receivedAtMs } = delivery
  before.push({ ...alert, apnsId, collapseId, receivedAtMs })
  screen.notifications = before.length > MAX_SHOWN ? before.slice(-MAX_SHOWN) : before
}

function readAlert(alert: unknown): Alert | null {
  if (typeof alert === 'string') return { title: null, subtitle: null, body: alert }
  if (typeof alert !== 'object' || alert === null) return null
  const texts = record(alert)
  return {
    title: text(texts['title'] ?? texts['title-loc-key']),
    subtitle: text(texts['subtitle'] ?? texts['subtitle-loc-key']),
    body: text(texts['body'] ?? texts['loc-key']),
  }
}

/** A string names the sound; an object (critical alerts) holds the name. */
function readSound(sound: unknown): string | null {
  return text(typeof sound === 'object' ? record(sound)['name'] : sound)
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}
