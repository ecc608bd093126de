import type { IncomingMessage } from 'node:http'
import { ApnsdError } from '../../base/errors.ts'

/** A body of 32 MiB holds some 50 000 notifications. Bounds what one call can make the daemon keep. */
export const MAX_BODY_BYTES = 32 * 1024 * 1024

/**
 * What is still taken in, unread, of a body that was refused. Most clients write all of it before they look for an
 * answer, and would find a reset connection instead.
 */
export const MAX_DISCARDED_BYTES = 64 * 1024 * 1024

/** The client went away before its request was complete: there is nobody to answer. */
export class ClientGone extends Error {
  constructor() {
    super('The connection closed before the request was complete.')
    this.name = 'ClientGone'
  }
}

/**
 * Hands on a body chunk by chunk, and resolves at its end. Events rather than `for await`: leaving such a loop early
 * destroys the socket, and with it the answer.
 * @param take may throw: then the stream is paused, and the promise rejects with what it threw.
 * @throws {ApnsdError} request-too-large, before the first byte where the length was declared.
 * @throws {ClientGone}
 */
export function readBody(request: IncomingMessage, take: (chunk: Buffer) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    if (Number(request.headers['content-length']) > MAX_BODY_BYTES) {
      reject(newTooLarge())
      return
    }
    let bytes = 0
    const stop = listen(request, {
      data(chunk) {
        bytes += chunk.length
        try {
          if (bytes > MAX_BODY_BYTES) throw newTooLarge()
          take(chunk)
        } catch (thrown) {
          stop()
          request.pause()
          reject(thrown)
        }
      },
      end: resolve,
      gone: () => reject(new ClientGone()),
    })
  })
}

/** Lets the rest of a refused body pass: true once it has ended, false where it went on for too long or broke off. */
export function discardBody(request: IncomingMessage): Promise<boolean> {
  return new Promise((resolve) => {
    if (request.readableEnded || request.destroyed) {
      resolve(request.readableEnded)
      return
    }
    let bytes = 0
    const stop = listen(request, {
      data(chunk) {
        bytes += chunk.length
        if (bytes <= MAX_DISCARDED_BYTES) return
        stop()
        request.pause()
        resolve(false)
      },
      end: () => resolve(true),
      gone: () => resolve(false),
    })
  })
}

interface Listener {
  data: (chunk: Buffer) => void
  end: () => void
  gone: () => void
}

/** Listens until the stream is over, or the function that it returns is called. */
function listen(request: IncomingMessage, { data, end, gone }: Listener): () => void {
  const onEnd = () => {
    stop()
    end()
  }
  const onGone = () => {
    stop()
    gone()
  }
  const stop = () => {
    request.off('data', data).off('end', onEnd).off('error', onGone).off('close', onGone)
  }
  request.on('data', data).on('end', onEnd).on('error', onGone).on('close', onGone)
  request.resume()
  return stop
}

function newTooLarge(): ApnsdError {
  return new ApnsdError(
    'request-too-large',
    `The request is larger than ${MAX_BODY_BYTES} bytes.`,
    {
      hint: 'Send the notifications in several calls.',
    },
  )
}
