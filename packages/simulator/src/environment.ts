/** Names one of Apple's two services; a certificate or key is good for one of them or for both. */
export type Environment = 'sandbox' | 'production'

/** Lists both environments, in the order in which they are shown. */
export const ENVIRONMENTS: readonly Environment[] = ['sandbox', 'production']

/** Tells whether a value from outside names an environment. */
export function isEnvironment(value: unknown): value is Environment {
  return value === 'sandbox' || value === 'production'
}
