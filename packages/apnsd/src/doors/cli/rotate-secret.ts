/** What `apnsd keys rotate-secret` was told on its command line. */
export interface RotateSecretOptions {
  readonly config?: string
  readonly data?: string
  readonly newKeyFile?: string
}

/** What came of it. */
export interface RotatedSecret {
  readonly folder: string
  /** How many credentials were sealed anew. */
  readonly credentials: number
  /** True where the key is not kept in the folder: the operator has to configure the new one. */
  readonly isConfigured: boolean
}

/** Says what was done, and what is left to do. */
export function describeRotation(
  { folder, credentials, isConfigured }: RotatedSecret,
  newKeyFile = '',
): string {
  const done =
    credentials === 0
      ? `No credential in ${folder} had to be sealed anew.`
      : `Sealed ${credentials} ${credentials === 1 ? 'credential' : 'credentials'} in ${folder} with the new key.`
  if (!isConfigured) return `${done} Start the daemon as before.`
  return (
    `${done} Now put the key of ${newKeyFile} where the old one is configured (APNSD_SECRET_KEY, the setting secretKey, ` +
    'or apnsd-secret-key of the service manager), then start the daemon; the old key opens nothing any more.'
  )
}
