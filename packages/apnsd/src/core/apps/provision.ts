import { type Credential, PUSH_TYPES } from '@apnsd/apns'
import { ApnsdError } from '../../base/errors.ts'
import type { ProvisionRequest } from '../provider-requests.ts'
import { type App, DEFAULT_POLICY, ENVIRONMENTS, type Environment } from './app.ts'

/** pyapns' own default. */
const DEFAULT_CONNECT_TIMEOUT_S = 15
const MAX_CONNECT_TIMEOUT_S = 3600
const MAX_APP_ID_CHARACTERS = 200

/**
 * Makes the app that a request to provision asks for.
 * @param credential the request's, read
 * @param credentialFile where it was read from; undefined where it came with the call
 * @param before the app as it is; undefined where it is new
 * @throws {ApnsdError} invalid-argument, invalid-environment, invalid-credential
 */
export function makeApp(
  request: ProvisionRequest,
  credential: Credential,
  credentialFile: string | undefined,
  before: App | undefined,
): App {
  const environment = checkEnvironment(request.environment)
  checkCredentialFits(credential, environment)
  // what has reached Apple once need not show it again when only the topic or the timeout changes
  const keepsReach =
    before?.environment === environment && before.credential.fingerprint === credential.fingerprint
  return {
    id: request.appId,
    environment,
    topic: chooseTopic(credential, request.topic),
    credential,
    ...(credentialFile === undefined ? {} : { credentialFile }),
    connectTimeoutS: checkTimeout(request.connectTimeoutS ?? DEFAULT_CONNECT_TIMEOUT_S),
    policy: { ...(before?.policy ?? DEFAULT_POLICY), ...request.policy },
    reachedAtMs: keepsReach ? before.reachedAtMs : null,
  }
}

/**
 * Makes of an app what it is with a renewed credential.
 * @throws {ApnsdError} invalid-credential where it is for another environment or topic
 */
export function renewApp(app: App, credential: Credential): App {
  checkCredentialFits(credential, app.environment)
  return { ...app, topic: chooseTopic(credential, app.topic), credential, reachedAtMs: null }
}

/** @throws {ApnsdError} invalid-argument */
export function checkAppId(appId: string): void {
  if (appId === '' || appId.length > MAX_APP_ID_CHARACTERS)
    throw new ApnsdError(
      'invalid-argument',
      `An app_id has 1 to ${MAX_APP_ID_CHARACTERS} characters; this one has ${appId.length}.`,
      { place: '/appId' },
    )
}

/** @throws {ApnsdError} invalid-environment */
export function checkEnvironment(environment: string): Environment {
  const known = ENVIRONMENTS.find((name) => name === environment)
  if (known !== undefined) return known
  // the text is pyapns' own, to the letter
  throw new ApnsdError(
    'invalid-environment',
    `Invalid environment provided \`${environment}\`. Valid environments are \`sandbox\` and \`production\``,
    { place: '/environment' },
  )
}

function checkTimeout(seconds: number): number {
  if (seconds >= 0 && seconds <= MAX_CONNECT_TIMEOUT_S) return seconds
  throw new ApnsdError(
    'invalid-argument',
    `A timeout is 0 to ${MAX_CONNECT_TIMEOUT_S} seconds; this one is ${seconds}.`,
    { place: '/connectTimeoutS' },
  )
}

function checkCredentialFits(credential: Credential, environment: Environment): void {
  if (credential.type === 'token' || credential.environments.includes(environment)) return
  throw new ApnsdError(
    'invalid-credential',
    `The certificate is for ${credential.environments.join(' and ')}, not for ${environment}.`,
    { place: '/environment' },
  )
}

/** The topic that was asked for, if the credential covers it; else the certificate's own. */
function chooseTopic(credential: Credential, asked: string | undefined): string {
  if (credential.type === 'token') {
    if (asked !== undefined && asked !== '') return asked
    throw new ApnsdError('invalid-argument', 'A signing key needs a topic beside it.', {
      place: '/topic',
      hint: 'The topic is the app’s bundle identifier.',
    })
  }
  if (asked === undefined || asked === '') return credential.defaultTopic
  const covered = Object.values(PUSH_TYPES).some(({ topicSuffix }) =>
    credential.topics.includes(asked + topicSuffix),
  )
  if (covered) return asked
  throw new ApnsdError(
    'invalid-credential',
    `The certificate is for ${credential.topics.join(', ')}, not for ${asked.slice(0, 200)}.`,
    { place: '/topic' },
  )
}
