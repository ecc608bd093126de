import { Type } from 'typebox'

/** Either `pem` or `pkcs12`, which the door checks: a schema would say it in words that nobody understands. */
const Certificate = Type.Object(
  {
    type: Type.Literal('certificate'),
    pem: Type.Optional(
      Type.String({ minLength: 1, description: 'Certificate and private key, both PEM.' }),
    ),
    key: Type.Optional(
      Type.String({ minLength: 1, description: 'The private key, where it is not in `pem`.' }),
    ),
    pkcs12: Type.Optional(
      Type.String({ minLength: 1, description: 'A PKCS#12 file (.p12) in base64.' }),
    ),
    passphrase: Type.Optional(
      Type.String({ description: 'Opens the PKCS#12 file or an encrypted key.' }),
    ),
  },
  { additionalProperties: false },
)

const Token = Type.Object(
  {
    type: Type.Literal('token'),
    key: Type.String({ minLength: 1, description: 'The text of the .p8 file.' }),
    keyId: Type.String({ description: 'Ten characters, from the key’s page.' }),
    teamId: Type.String({ description: 'Ten characters, from the account’s page.' }),
  },
  { additionalProperties: false },
)

/** The credential of {@link PutApp}. */
export type CredentialBody = Type.Static<typeof Certificate> | Type.Static<typeof Token>

/** What is left out stays as it was; see {@link AppPolicy}. */
const Policy = Type.Object(
  {
    inDoubt: Type.Optional(Type.Union([Type.Literal('resend'), Type.Literal('drop')])),
    tryOtherEnvironment: Type.Optional(Type.Boolean()),
    deviceTokenBreaker: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
)

/** The body of `PUT /v1/apps/{app}`. */
export const PutApp = Type.Object(
  {
    environment: Type.String({ description: '`sandbox` or `production`.' }),
    topic: Type.Optional(
      Type.String({ description: 'The bundle identifier; needed with a signing key.' }),
    ),
    credential: Type.Unsafe<CredentialBody>({
      type: 'object',
      required: ['type'],
      discriminator: { propertyName: 'type' },
      oneOf: [Certificate, Token],
    }),
    policy: Type.Optional(Policy),
  },
  { additionalProperties: false },
)

export const AppPath = Type.Object({ app: Type.String({ minLength: 1 }) })

/** The query of `GET /v1/apps/{app}/feedback`. */
export const FeedbackQuery = Type.Object(
  {
    after: Type.Optional(Type.String({ description: '`next` of an earlier answer.' })),
    limit: Type.Optional(
      Type.String({
        pattern: '^[0-9]{1,9}$',
        description: 'How many entries at most, 1 to 1000; 1000 where absent.',
      }),
    ),
  },
  { additionalProperties: false },
)

export const NotificationPath = Type.Object({ id: Type.String() })
