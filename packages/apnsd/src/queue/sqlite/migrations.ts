import type { Migration } from '../../base/database.ts'

export const QUEUE_MIGRATIONS: readonly Migration[] = [
  {
    component: 'queue',
    number: 1,
    // A chunk waits while it has a due_at_ms. When everything in it has ended, due_at_ms and payloads become NULL and
    // the row goes on as the record of its outcomes.
    sql: `
      CREATE TABLE chunks (
        id INTEGER PRIMARY KEY,
        app_id TEXT NOT NULL,
        batch_id TEXT NOT NULL,
        first_index INTEGER NOT NULL,
        count INTEGER NOT NULL,
        enqueued_at_ms INTEGER NOT NULL,
        due_at_ms INTEGER,
        attempts INTEGER NOT NULL DEFAULT 0,
        device_tokens BLOB NOT NULL,
        payloads BLOB,
        states BLOB NOT NULL,
        details TEXT
      ) STRICT;
      CREATE INDEX chunks_due ON chunks (app_id, due_at_ms, id) WHERE due_at_ms IS NOT NULL;
      CREATE UNIQUE INDEX chunks_by_place ON chunks (batch_id, first_index);
    `,
  },
]
