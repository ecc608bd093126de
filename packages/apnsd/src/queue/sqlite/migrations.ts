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
  {
    component: 'queue',
    number: 2,
    // What changes as a chunk is sent stands apart from what does not, so that writing outcomes down does not write
    // device tokens and payloads anew. `waiting` and `bytes` are in the index so that a start with a million chunks
    // waiting reads the index alone.
    sql: `
      ALTER TABLE chunks RENAME TO chunks_before;
      DROP INDEX chunks_due;
      DROP INDEX chunks_by_place;
      CREATE TABLE chunks (
        id INTEGER PRIMARY KEY,
        app_id TEXT NOT NULL,
        batch_id TEXT NOT NULL,
        first_index INTEGER NOT NULL,
        count INTEGER NOT NULL,
        -- 0 small, 1 large
        lane INTEGER NOT NULL,
        enqueued_at_ms INTEGER NOT NULL,
        -- NULL: ended
        due_at_ms INTEGER,
        ended_at_ms INTEGER,
        -- the ttl's end; then when nothing in the chunk may be sent any more, by ttl or expiration
        expires_at_ms INTEGER,
        over_at_ms INTEGER,
        send_at_ms INTEGER NOT NULL,
        rate REAL,
        cancelled INTEGER NOT NULL DEFAULT 0,
        waiting INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        states BLOB NOT NULL,
        details TEXT,
        retries TEXT
      ) STRICT;
      CREATE TABLE contents (
        chunk_id INTEGER PRIMARY KEY,
        device_tokens BLOB NOT NULL,
        payloads BLOB
      ) STRICT;
      INSERT INTO contents SELECT id, device_tokens, payloads FROM chunks_before;
      INSERT INTO chunks
        SELECT id, app_id, batch_id, first_index, count, count > 100, enqueued_at_ms, due_at_ms,
          iif(due_at_ms IS NULL, enqueued_at_ms, NULL), NULL, NULL, 0, NULL, 0,
          iif(due_at_ms IS NULL, 0, count), length(device_tokens) + coalesce(length(payloads), 0), states, details, NULL
        FROM chunks_before;
      DROP TABLE chunks_before;
      CREATE INDEX chunks_waiting ON chunks (app_id, lane, due_at_ms, id, waiting, bytes) WHERE due_at_ms IS NOT NULL;
      CREATE INDEX chunks_of_campaigns ON chunks (batch_id, due_at_ms, id) WHERE due_at_ms IS NOT NULL AND lane = 1;
      CREATE INDEX chunks_over ON chunks (over_at_ms) WHERE due_at_ms IS NOT NULL AND over_at_ms IS NOT NULL;
      CREATE INDEX chunks_ended ON chunks (ended_at_ms) WHERE ended_at_ms IS NOT NULL;
      CREATE UNIQUE INDEX chunks_by_place ON chunks (batch_id, first_index);
      CREATE TABLE idempotency_keys (
        app_id TEXT NOT NULL,
        key TEXT NOT NULL,
        digest TEXT NOT NULL,
        answer TEXT NOT NULL,
        created_at_ms INTEGER NOT NULL,
        PRIMARY KEY (app_id, key)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at_ms);
    `,
  },
]
