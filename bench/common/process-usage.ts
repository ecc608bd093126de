import { readFileSync } from 'node:fs'

/** Of `times` in /proc/PID/stat; the same on every Linux that Node runs on. [proc(5), getconf CLK_TCK] */
const TICKS_PER_SECOND = 100
const MICROSECONDS = 1_000_000
const BYTES_PER_KIB = 1024
/** In /proc/PID/stat, counted from what follows the name in brackets. */
const USER_TICKS_FIELD = 11
const SYSTEM_TICKS_FIELD = 12

/** User and system time of all threads of a process, in steps of 10 ms. */
export function readCpuMicroseconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(') ') + 2).split(' ')
  const ticks = Number(fields[USER_TICKS_FIELD]) + Number(fields[SYSTEM_TICKS_FIELD])
  return (ticks / TICKS_PER_SECOND) * MICROSECONDS
}

/** The resident memory of a process now. */
export function readRssBytes(pid: number): number {
  return readKib(pid, 'VmRSS')
}

/** The most that it ever was. */
export function readPeakRssBytes(pid: number): number {
  return readKib(pid, 'VmHWM')
}

/** Bytes that a process has given to `write` and its like so far, to files, pipes and sockets. */
export function readWrittenBytes(pid: number): number {
  return Number(/^wchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1])
}

function readKib(pid: number, name: string): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`^${name}:\\s*(\\d+) kB$`, 'm').exec(status)?.[1]) * BYTES_PER_KIB
}
