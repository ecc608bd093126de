import { Simulator } from '@apnsd/simulator'
import { parseAddress } from '../../base/address.ts'
import { createLog } from '../../base/log.ts'

export interface SimulateOptions {
  readonly listen: string
  readonly control: string
  readonly data?: string
}

/** Runs the stand-in for Apple until it is told to stop. */
export async function simulate({ listen, control, data }: SimulateOptions): Promise<void> {
  const simulator = await Simulator.start({
    listen: parseAddress(listen),
    control: parseAddress(control),
    ...(data === undefined ? {} : { folder: data }),
  })
  const { url, controlUrl } = simulator
  createLog('info').info({ url, control: controlUrl, ca: `${controlUrl}/ca.pem` }, 'ready')
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.once(signal, () => void simulator.close())
}
