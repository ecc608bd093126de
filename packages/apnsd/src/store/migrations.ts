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
    component: 'store',
    number: 2,
    sql: `
      ALTER TABLE feedback ADD COLUMN status INTEGER NOT NULL DEFAULT 410;
      -- 1 where the device token may be alive and our settings wrong
      ALTER TABLE feedback ADD COLUMN suspect INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE feedback ADD COLUMN recorded_at_ms INTEGER NOT NULL DEFAULT 0;
      -- when they were recorded is not known: as late as can be, so that nobody who asks for what is new misses them
      UPDATE feedback SET recorded_at_ms = unixepoch() * 1000;
      DROP INDEX feedback_untaken;
      CREATE INDEX feedback_untaken ON feedback (app_id, seq) WHERE taken_at_ms IS NULL AND suspect = 0;
      CREATE INDEX feedback_by_app ON feedback (app_id, seq);
      CREATE INDEX feedback_by_record_time ON feedback (recorded_at_ms);
    `,
  },
  {
    component: 'store',
    number: 3,
    sql: `
      -- which key the credentials are sealed with: see secret-key.ts
      CREATE TABLE secret_key (
        only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
        fingerprint TEXT NOT NULL
      ) STRICT;
    `,
  },
  {
    component: 'store',
    number: 4,
    sql: `
      -- where the credential was read from and is read again when it changes; null where it came with the call
      ALTER TABLE apps ADD COLUMN credential_file TEXT;
    `,
  },
  {
    component: 'store',
    number: 5,
    sql: `
      -- JSON; null: as every new app has it
      ALTER TABLE apps ADD COLUMN policy TEXT;
    `,
  },
]
