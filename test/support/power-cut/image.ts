import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** What is below a folder, by path within it: a file's bytes, or null for a folder. A folder comes before what is in it. */
export type Image = ReadonlyMap<string, Buffer | null>

const isSharedMemory = (name: string): boolean => name.endsWith('-shm')

/** Reads everything below a folder but SQLite's shared memory, which is nothing that a disk would keep. */
export function readImage(folder: string): Image {
  const image = new Map<string, Buffer | null>()
  const read = (path: string): void => {
    for (const entry of readdirSync(join(folder, path), { withFileTypes: true })) {
      const inner = join(path, entry.name)
      if (isSharedMemory(inner)) continue
      image.set(inner, entry.isDirectory() ? null : readFileSync(join(folder, inner)))
      if (entry.isDirectory()) read(inner)
    }
  }
  read('')
  return image
}

/** The same for images that are the same, and for no others. */
export function digestOf(image: Image): string {
  const hash = createHash('sha256')
  for (const [path, bytes] of [...image].sort(([one], [other]) => (one < other ? -1 : 1)))
    hash.update(JSON.stringify([path, bytes?.length])).update(bytes ?? '')
  return hash.digest('hex')
}

/** Makes the folder hold the image and nothing else. */
export function writeImage(folder: string, image: Image): void {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder)
  for (const [path, bytes] of image) {
    if (bytes === null) mkdirSync(join(folder, path), { mode: 0o700 })
    else writeFileSync(join(folder, path), bytes, { mode: 0o600 })
  }
}

/** Names the first path at which two images differ; null where they are the same. */
export function findDifference(one: Image, other: Image): string | null {
  for (const path of new Set([...one.keys(), ...other.keys()])) {
    const [bytes, others] = [one.get(path), other.get(path)]
    const isSame = Buffer.isBuffer(bytes) && Buffer.isBuffer(others) && bytes.equals(others)
    if (!isSame && (bytes !== null || others !== null)) return path
  }
  return null
}
