import type { Credential } from '@apnsd/apns'
import { readCertificate, readSigningKey } from '@apnsd/apns'
import type { Database, Row } from '../base/database.ts'
import { type App, DEFAULT_POLICY, type Environment } from '../core/apps/app.ts'
import type { AppStore } from '../core/ports.ts'
import type { SecretBox } from './secret-box.ts'

/** What is sealed of a credential; everything else about it is read from it again. */
type Secret =
  | { readonly type: 'certificate'; readonly pem: string }
  | {
      readonly type: 'token'
      readonly key: string
      readonly keyId: string
      readonly teamId: string
    }

/** Apps in SQLite, all of them in memory as well: there are few, and every call asks for one. */
export class SqliteAppStore implements AppStore {
  readonly #database: Database
  readonly #box: SecretBox
  readonly #apps = new Map<string, App>()
  readonly #listeners: (() => void)[] = []

  /** @throws {ApnsdError} storage-failed where a credential cannot be decrypted */
  constructor(database: Database, box: SecretBox) {
    this.#database = database
    this.#box = box
    for (const row of database.prepare('SELECT * FROM apps ORDER BY id').all()) {
      const app = readApp(row, box)
      this.#apps.set(app.id, app)
    }
  }

  get(appId: string): App | undefined {
    return this.#apps.get(appId)
  }

  list(): App[] {
    return [...this.#apps.values()].sort((one, other) => (one.id < other.id ? -1 : 1))
  }

  async put(app: App): Promise<void> {
    const sealed = this.#box.seal(formatSecret(app.credential), app.id)
    this.#database.transaction(() => {
      this.#database
        .prepare(
          `INSERT OR REPLACE INTO apps
             (id, environment, topic, credential, fingerprint, connect_timeout_s, reached_at_ms,
              credential_file, policy)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        )
        .run(
          app.id,
          app.environment,
          app.topic,
          sealed,
          app.credential.fingerprint,
          app.connectTimeoutS,
          app.reachedAtMs,
          app.credentialFile ?? null,
          JSON.stringify(app.policy),
        )
    })
    this.#apps.set(app.id, app)
    this.#tell()
  }

  async markReached(appId: string, fingerprint: string, atMs: number): Promise<void> {
    const app = this.#apps.get(appId)
    if (app === undefined || app.credential.fingerprint !== fingerprint) return
    this.#database.transaction(() => {
      this.#database.prepare('UPDATE apps SET reached_at_ms = ? WHERE id = ?').run(atMs, appId)
    })
    this.#apps.set(appId, { ...app, reachedAtMs: atMs })
  }

  async remove(appId: string): Promise<boolean> {
    this.#database.transaction(() => {
      this.#database.prepare('DELETE FROM apps WHERE id = ?').run(appId)
    })
    const wasThere = this.#apps.delete(appId)
    this.#tell()
    return wasThere
  }

  /** Calls back whenever an app was provisioned, renewed or removed. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener)
  }

  #tell(): void {
    for (const listener of this.#listeners) listener()
  }
}

/** True where something is sealed. Whoever seals more than the apps' credentials adds it here, and to the next two. */
export const hasCredentials = (database: Database): boolean =>
  database.get('SELECT 1 FROM apps LIMIT 1') !== undefined

/** True where the credentials are sealed with this box's key, judged by one of them. */
export function canOpenCredentials(database: Database, box: SecretBox): boolean {
  const row = database.get('SELECT id, credential FROM apps LIMIT 1')
  try {
    if (row !== undefined) box.open(row['credential'] as Uint8Array, String(row['id']))
    return true
  } catch {
    return false
  }
}

/**
 * Seals every credential with another key; part of a transaction of the caller's.
 * @returns how many there are
 * @throws {ApnsdError} storage-failed where one cannot be opened
 */
export function resealCredentials(database: Database, from: SecretBox, to: SecretBox): number {
  const rows = database.prepare('SELECT id, credential FROM apps').all()
  const update = database.prepare('UPDATE apps SET credential = ? WHERE id = ?')
  for (const row of rows) {
    const id = String(row['id'])
    update.run(to.seal(from.open(row['credential'] as Uint8Array, id), id), id)
  }
  return rows.length
}

function formatSecret(credential: Credential): string {
  const secret: Secret =
    credential.type === 'certificate'
      ? { type: 'certificate', pem: credential.certificatePem + credential.privateKeyPem }
      : {
          type: 'token',
          key: credential.key,
          keyId: credential.keyId,
          teamId: credential.teamId,
        }
  return JSON.stringify(secret)
}

function readApp(row: Row, box: SecretBox): App {
  const id = String(row['id'])
  const secret = JSON.parse(box.open(row['credential'] as Uint8Array, id)) as Secret
  const reachedAtMs = row['reached_at_ms']
  const credentialFile = row['credential_file']
  return {
    id,
    environment: row['environment'] as Environment,
    topic: String(row['topic']),
    // whatever its dates say by now: Apple will tell, and the app is to be found as it was left
    credential:
      secret.type === 'certificate'
        ? readCertificate(secret.pem, null)
        : readSigningKey(secret.key, secret.keyId, secret.teamId),
    ...(typeof credentialFile === 'string' ? { credentialFile } : {}),
    connectTimeoutS: Number(row['connect_timeout_s']),
    policy: { ...DEFAULT_POLICY, ...(JSON.parse(String(row['policy'] ?? '{}')) as object) },
    reachedAtMs: reachedAtMs === null ? null : Number(reachedAtMs),
  }
}
