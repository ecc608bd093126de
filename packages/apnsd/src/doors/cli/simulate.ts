import { Simulator, type SimulatorOptions } from '@apnsd/simulator'
import { parseAddress } from '../../base/address.ts'
import { ApnsdError } from '../../base/errors.ts'
import { createLog } from '../../base/log.ts'

export interface SimulateOptions {
  readonly listen: string
  readonly control: string
  readonly data?: string
}

interface ListenError extends NodeJS.ErrnoException {
  readonly address?: string
  readonly port?: number
}

/** Runs the stand-in for Apple until it is told to stop. */
export async function simulate({ listen, control, data }: SimulateOptions): Promise<void> {
  const simulator = await startSimulator({
    listen: parseAddress(listen),
    control: parseAddress(control),
    ...(data === undefined ? {} : { folder: data }),
  })
  // before anybody can know that it is ready
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.once(signal, () => void simulator.close())
  const { url, controlUrl } = simulator
  createLog('info').info({ url, control: controlUrl, ca: `${controlUrl}/ca.pem` }, 'ready')
}

/** @throws {ApnsdError} invalid-configuration where an address is not to be had */
async function startSimulator(options: SimulatorOptions): Promise<Simulator> {
  try {
    return await Simulator.start(options)
  } catch (cause) {
    const { code, syscall, address, port } = cause as ListenError
    if (syscall !== 'listen') throw cause
    const why = code === 'EADDRINUSE' ? 'something listens there already' : code
    throw new ApnsdError('invalid-configuration', `Cannot listen on ${address}:${port}: ${why}.`, {
      hint: 'Choose others with --listen and --control.',
      cause,
    })
  }
}
