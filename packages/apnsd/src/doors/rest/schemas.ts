import { Type } from 'typebox'

const Certificate = Type.Object(
  {
    type: Type.Literal('certificate'),
    pem: Type.String({ minLength: 1, description: 'Certificate and private key, both PEM.' }),
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

/** The body of `PUT /v1/apps/{app}`. */
export const PutApp = Type.Object(
  {
    environment: Type.String({ description: '`sandbox` or `production`.' }),
    topic: Type.Optional(
      Type.String({ description: 'The bundle identifier; needed with a signing key.' }),
    ),
    credential: Type.Unsafe<
      | { type: 'certificate'; pem: string }
      | { type: 'token'; key: string; keyId: string; teamId: string }
    >({
      type: 'object',
      required: ['type'],
      discriminator: { propertyName: 'type' },
      oneOf: [Certificate, Token],
    }),
  },
  { additionalProperties: false },
)

export const AppPath = Type.Object({ app: Type.String({ minLength: 1 }) })
export const NotificationPath = Type.Object({ id: Type.String() })
