import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import fastify from 'fastify'
import { refuseBrowsers } from '../../browser-guard.ts'
import { xmlrpcDoor } from '../door.ts'
import { FakeProvider } from './fake-provider.ts'
import { RawClient } from './raw-client.ts'

/** A real server on a socket of its own, with this door and the guard against browsers in it. */
export interface StartedDoor {
  port: number
  provider: FakeProvider
  /** What the door wrote to its log. */
  logged: unknown[]
  /** Opens a connection that is closed with the test. */
  connect(): Promise<RawClient>
}

/** Starts the door for one test; all of it is closed when the test ends. */
export async function startDoor(t: TestContext): Promise<StartedDoor> {
  const provider = new FakeProvider()
  const logged: unknown[] = []
  const server = fastify()
  server.addHook('onRequest', refuseBrowsers)
  await server.register(xmlrpcDoor(provider, { error: ({ err }) => logged.push(err) }))
  await server.listen({ port: 0, host: '127.0.0.1' })
  const { port } = server.server.address() as AddressInfo
  const clients: RawClient[] = []
  t.after(async () => {
    for (const client of clients) client.close()
    await server.close()
  })
  const connect = async () => {
    const client = await RawClient.connect(port)
    clients.push(client)
    return client
  }
  return { port, provider, logged, connect }
}
