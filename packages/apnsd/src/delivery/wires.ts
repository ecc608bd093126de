import type { ApnsClientOptions, ApnsEnvironment } from '@apnsd/apns'

/** How clients reach Apple. */
export type Wire = Pick<
  ApnsClientOptions,
  'url' | 'ca' | 'proxy' | 'maxConnections' | 'onKeylog' | 'timings'
>
export type Wires = Readonly<Record<ApnsEnvironment, Wire>>
