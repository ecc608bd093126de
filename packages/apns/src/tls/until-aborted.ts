import type { Socket } from 'node:net'

/** Waits for what cannot be stopped, such as a look-up, no longer than until the signal says so; then rejects with its reason. */
export function unlessAborted<Value>(work: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error)
    signal.addEventListener('abort', onAbort)
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
    if (signal.aborted) onAbort()
  })
}

/**
 * Waits for a socket's event. When the socket fails or ends first, or the signal says so, it is destroyed, and the promise
 * rejects with the reason.
 */
export function untilAborted(socket: Socket, event: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (error: Error | null): void => {
      socket.off(event, onEvent)
      socket.off('error', onError)
      socket.off('close', onClose)
      signal.removeEventListener('abort', onAbort)
      if (error === null) {
        resolve()
        return
      }
      socket.destroy()
      reject(error)
    }
    const onEvent = (): void => end(null)
    const onError = (error: Error): void => end(error)
    const onClose = (): void => end(new Error('the peer closed the connection'))
    const onAbort = (): void => end(signal.reason as Error)
    socket.once(event, onEvent)
    socket.once('error', onError)
    socket.once('close', onClose)
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
  })
}
