import type { Migration } from '../base/database.ts'

export const STORE_MIGRATIONS: readonly Migration[] = [
  {
    component: 'store',
    number: 1,
    sql: `
      CREATE TABLE apps (
        id TEXT PRIMARY KEY,
        environment TEXT NOT NULL,
        topic TEXT NOT NULL,
        -- JSON, sealed: see secret-box.ts
        credential BLOB NOT NULL,
        fingerprint TEXT NOT NULL,
        connect_timeout_s REAL NOT NULL,
        reached_at_ms INTEGER
      ) STRICT;
      CREATE TABLE feedback (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        app_id TEXT NOT NULL,
        device_token TEXT NOT NULL,
        timestamp_ms INTEGER NOT NULL,
        reason TEXT NOT NULL,
        taken_at_ms INTEGER,
        UNIQUE (app_id, device_token)
      ) STRICT;
      CREATE INDEX feedback_untaken ON feedback (app_id, seq) WHERE taken_at_ms IS NULL;
    `,
  },
  {
    component: 'app-policy',
    number: 1,
    // JSON; absent: as every new app has it
    sql: `ALTER TABLE apps ADD COLUMN policy TEXT`,
  },
]
