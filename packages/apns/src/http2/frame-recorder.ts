import { errorCodeName, Http2Error } from './errors.ts'
import type { FrameHandler, Setting } from './frame-handler.ts'
import { DEFAULT_FRAME_READER_LIMITS, FrameReader, type FrameReaderLimits } from './frame-reader.ts'

/** For tests: writes down what a FrameReader hands on, a line for each call, bytes as hex. */
export class FrameRecorder implements FrameHandler {
  readonly events: string[] = []

  data(
    streamId: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    endStream: boolean,
    flowControlledBytes: number,
  ): void {
    const flag = endStream ? ' END_STREAM' : ''
    const payload = hex(bytes.subarray(start, end))
    this.events.push(`DATA ${streamId} [${payload}]${flag} counts ${flowControlledBytes}`)
  }

  headers(
    streamId: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    endStream: boolean,
  ): void {
    const flag = endStream ? ' END_STREAM' : ''
    this.events.push(`HEADERS ${streamId} [${hex(bytes.subarray(start, end))}]${flag}`)
  }

  rstStream(streamId: number, errorCode: number): void {
    this.events.push(`RST_STREAM ${streamId} ${errorCodeName(errorCode)}`)
  }

  settings(settings: readonly Setting[]): void {
    this.events.push(`SETTINGS ${settings.map(([id, value]) => `${id}=${value}`).join(' ')}`.trim())
  }

  settingsAck(): void {
    this.events.push('SETTINGS ACK')
  }

  ping(opaque: Uint8Array, ack: boolean): void {
    this.events.push(`PING [${hex(opaque)}]${ack ? ' ACK' : ''}`)
  }

  goaway(lastStreamId: number, errorCode: number, debugData: Uint8Array): void {
    this.events.push(`GOAWAY ${lastStreamId} ${errorCodeName(errorCode)} [${hex(debugData)}]`)
  }

  windowUpdate(streamId: number, incrementBytes: number): void {
    this.events.push(`WINDOW_UPDATE ${streamId} ${incrementBytes}`)
  }

  streamError(error: Http2Error): void {
    this.events.push(describe(error))
  }
}

/** For tests: reads the chunks one after the other; the error that ends it, if one does, is the last line. */
export function record(
  chunks: Iterable<Uint8Array>,
  limits: FrameReaderLimits = DEFAULT_FRAME_READER_LIMITS,
): string[] {
  const recorder = new FrameRecorder()
  const reader = new FrameReader(recorder, limits)
  try {
    for (const chunk of chunks) reader.read(chunk)
  } catch (error) {
    if (!(error instanceof Http2Error)) throw error
    recorder.events.push(describe(error))
  }
  return recorder.events
}

function describe({ errorCode, streamId }: Http2Error): string {
  return `${errorCodeName(errorCode)} closes ${streamId === 0 ? 'the connection' : `stream ${streamId}`}`
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

/** For tests: the bytes that a text of hex digits, spaced at will, stands for. */
export function fromHex(text: string): Buffer {
  return Buffer.from(text.replaceAll(/\s/g, ''), 'hex')
}
