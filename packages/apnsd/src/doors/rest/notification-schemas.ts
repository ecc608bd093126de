import { type Static, Type } from 'typebox'

const DeviceToken = Type.String({ description: 'A device token in hex.' })
const Payload = Type.Object(
  {},
  { additionalProperties: true, description: 'The whole dictionary, `aps` included.' },
)

/** What goes with a payload; each is derived where it is left out. */
const HEADERS = {
  pushType: Type.Optional(Type.String({ description: 'Derived from topic and payload.' })),
  topic: Type.Optional(Type.String({ description: 'The app’s own, with the push type’s suffix.' })),
  priority: Type.Optional(Type.Integer({ description: '10, 5 or 1.' })),
  expiration: Type.Optional(
    Type.Integer({
      description: 'UNIX seconds; Apple keeps it no longer. 0: Apple keeps it not at all.',
    }),
  ),
  collapseId: Type.Optional(Type.String({ description: 'At most 64 bytes.' })),
}

/** One notification of `notifications`, and one line of NDJSON. */
export const NotificationBody = Type.Object(
  { token: DeviceToken, payload: Payload, ...HEADERS },
  { additionalProperties: false },
)
export type NotificationBody = Static<typeof NotificationBody>

/** What holds for a whole submission. */
const OPTIONS = {
  sendAt: Type.Optional(
    Type.String({ description: 'Nothing goes before this time: 2026-11-24T18:00:00Z.' }),
  ),
  ttl: Type.Optional(
    Type.Number({ description: 'Seconds after which what was not sent has expired.' }),
  ),
  rate: Type.Optional(Type.Number({ description: 'At most so many a second.' })),
}

/** The body of `POST /v1/apps/{app}/notifications`: `token`, `tokens` or `notifications`, which the door checks. */
export const Submission = Type.Object(
  {
    token: Type.Optional(DeviceToken),
    tokens: Type.Optional(Type.Array(DeviceToken)),
    payload: Type.Optional(Payload),
    notifications: Type.Optional(Type.Array(NotificationBody)),
    ...HEADERS,
    ...OPTIONS,
  },
  { additionalProperties: false },
)
export type Submission = Static<typeof Submission>

/** The options of a submission in NDJSON, which has no other place for them. */
export const SubmissionQuery = Type.Object(
  {
    sendAt: Type.Optional(Type.String()),
    ttl: Type.Optional(Type.String()),
    rate: Type.Optional(Type.String()),
  },
  { additionalProperties: false },
)

export const IdempotencyHeader = Type.Object({
  'idempotency-key': Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
})

export const BatchPath = Type.Object({ batch: Type.String({ pattern: '^[0-9a-fA-F]{24}$' }) })

export const PageQuery = Type.Object(
  {
    after: Type.Optional(Type.String({ pattern: '^[0-9]{1,10}$' })),
    limit: Type.Optional(Type.String({ pattern: '^[0-9]{1,4}$' })),
  },
  { additionalProperties: false },
)
