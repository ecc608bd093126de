import { Http2Error, PROTOCOL_ERROR } from '../errors.ts'

/**
 * Checks that a frame which belongs to a stream names one that we can have opened: a client's streams are odd, and a
 * server opens even ones by PUSH_PROMISE only, which is refused. 0, the connection, is even too.
 * @throws {Http2Error} PROTOCOL_ERROR, for the connection.
 * @see RFC 9113 §5.1.1, and the stream identifiers of each frame in §6
 */
export function checkStreamScope(frame: string, streamId: number): void {
  if ((streamId & 1) === 0)
    throw new Http2Error(PROTOCOL_ERROR, `${frame} on stream ${streamId}, which is none of ours`)
}

/**
 * Checks that a frame which belongs to the connection names no stream.
 * @throws {Http2Error} PROTOCOL_ERROR, for the connection.
 */
export function checkConnectionScope(frame: string, streamId: number): void {
  if (streamId !== 0) throw new Http2Error(PROTOCOL_ERROR, `${frame} on stream ${streamId}`)
}
