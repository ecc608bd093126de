import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { describe, it } from 'node:test'
import { SocketReader } from './socket-reader.ts'

/** A socket and its other end. */
async function pair(): Promise<{ near: Socket; far: Socket; close: () => void }> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const near = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [far] = (await once(server, 'connection')) as [Socket]
  const close = (): void => {
    near.destroy()
    far.destroy()
    server.close()
  }
  return { near, far, close }
}

describe('SocketReader', () => {
  it('reads what is asked for, however it comes, and leaves the rest to the next reader', async () => {
    const { near, far, close } = await pair()
    const reader = new SocketReader(near)
    for (const piece of ['AB', 'CDhead', 'er\r', '\n\r\nrest']) {
      far.write(piece)
      await new Promise((resolve) => setImmediate(resolve))
    }
    assert.equal(String(await reader.read(4)), 'ABCD')
    assert.equal(String(await reader.readTo('\r\n\r\n', 100)), 'header\r\n\r\n')
    reader.release()
    far.end(' and more')
    let rest = ''
    for await (const bytes of near) rest += String(bytes)
    assert.equal(rest, 'rest and more')
    close()
  })

  it('refuses to read on without end', async () => {
    const { near, far, close } = await pair()
    far.write('x'.repeat(101))
    await assert.rejects(new SocketReader(near).readTo('\r\n', 100), RangeError)
    close()
  })

  it('rejects when the socket ends first, or has ended', async () => {
    const { near, far, close } = await pair()
    const reader = new SocketReader(near)
    far.end('x')
    await assert.rejects(reader.read(2), /closed the connection/)
    near.destroy()
    await assert.rejects(reader.read(2), /closed the connection/)
    close()
  })
})
