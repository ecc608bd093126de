import { basename, dirname } from 'node:path/posix'
import type { Fate } from './fate.ts'
import { type FileChange, FileContent } from './file-content.ts'
import type { Image } from './image.ts'
import type { Operation } from './operations.ts'

/** Names that are set at once, or taken away where there is null: a rename is one change of two names. */
type NameChange = ReadonlyMap<string, Node | null>

type Node = FileNode | FolderNode

/** Bytes on the disk, and what was done since they were last synced. */
class FileNode {
  readonly #durable: FileContent
  #pending: FileChange[] = []

  constructor(bytes: Buffer) {
    this.#durable = new FileContent(bytes)
  }

  change(change: FileChange): void {
    this.#pending.push(change)
  }

  sync(): void {
    for (const change of this.#pending) this.#durable.apply(change)
    this.#pending = []
  }

  survive(fate: Fate): Buffer {
    const content = new FileContent(this.#durable.bytes)
    for (const change of this.#pending) if (fate.survives()) content.apply(torn(change, fate))
    return content.bytes
  }
}

/** Names on the disk, the names as the process sees them, and the changes that lead from those to these. */
class FolderNode {
  #durable = new Map<string, Node>()
  readonly current = new Map<string, Node>()
  #pending: NameChange[] = []

  change(change: NameChange): void {
    setNames(this.current, change)
    this.#pending.push(change)
  }

  sync(): void {
    this.#durable = new Map(this.current)
    this.#pending = []
  }

  survive(fate: Fate): Map<string, Node> {
    const names = new Map(this.#durable)
    for (const change of this.#pending) if (fate.survives()) setNames(names, change)
    return names
  }
}

/**
 * A disk as a power cut finds it: what was synced, and on top of it what may or may not have got there.
 *
 * As strict as POSIX lets a disk be: syncing a file makes its bytes and its size durable, but not its name; a name that was
 * made, moved or taken away is durable when its folder was synced. Simpler than a real one: no write disturbs bytes beside
 * it, a rename is whole or not at all, and a gap left by a lost write reads as zeroes.
 */
export class Disk {
  readonly #root = new FolderNode()
  readonly #handles = new Map<number, Node>()

  /** Starts with an image that is durable, as at power-up. */
  constructor(image: Image) {
    for (const [path, bytes] of image)
      this.#change(path, bytes === null ? new FolderNode() : new FileNode(bytes))
    this.#syncNames(this.#root)
  }

  apply(operation: Operation): void {
    switch (operation.kind) {
      case 'open':
        this.#open(operation)
        break
      case 'write':
      case 'truncate':
        this.#file(operation.handle).change(operation)
        break
      case 'sync':
        this.#opened(operation.handle).sync()
        break
      case 'remove':
        this.#change(operation.path, null)
        break
      case 'makeFolder':
        this.#change(operation.path, new FolderNode())
        break
      case 'rename':
        this.#rename(operation.from, operation.to)
        break
    }
  }

  /** What is there after the power has come back. */
  cut(fate: Fate): Image {
    const image = new Map<string, Buffer | null>()
    const visit = (folder: FolderNode, path: string): void => {
      for (const [name, node] of folder.survive(fate)) {
        const inner = path === '' ? name : `${path}/${name}`
        image.set(inner, node instanceof FileNode ? node.survive(fate) : null)
        if (node instanceof FolderNode) visit(node, inner)
      }
    }
    visit(this.#root, '')
    return image
  }

  #open({ handle, path, made, emptied }: Operation & { kind: 'open' }): void {
    if (made) this.#change(path, new FileNode(Buffer.alloc(0)))
    const node = this.#find(path)
    this.#handles.set(handle, node)
    if (emptied) this.#file(handle).change({ kind: 'truncate', size: 0 })
  }

  #opened(handle: number): Node {
    const node = this.#handles.get(handle)
    if (node === undefined) throw new Error(`handle ${handle} was never opened`)
    return node
  }

  #file(handle: number): FileNode {
    const node = this.#opened(handle)
    if (node instanceof FileNode) return node
    throw new Error(`handle ${handle} is a folder`)
  }

  #find(path: string): Node {
    let node: Node = this.#root
    for (const name of path.split('/').filter(Boolean)) {
      const inner: Node | undefined =
        node instanceof FolderNode ? node.current.get(name) : undefined
      if (inner === undefined) throw new Error(`${path} is not on the disk`)
      node = inner
    }
    return node
  }

  #folderOf(path: string): FolderNode {
    const folder = this.#find(dirname(path) === '.' ? '' : dirname(path))
    if (folder instanceof FolderNode) return folder
    throw new Error(`${path} is in no folder`)
  }

  #change(path: string, node: Node | null): void {
    this.#folderOf(path).change(new Map([[basename(path), node]]))
  }

  #rename(from: string, to: string): void {
    const folder = this.#folderOf(from)
    if (folder !== this.#folderOf(to)) throw new Error(`${from} moves to another folder`)
    folder.change(
      new Map([
        [basename(from), null],
        [basename(to), this.#find(from)],
      ]),
    )
  }

  #syncNames(folder: FolderNode): void {
    folder.sync()
    for (const node of folder.current.values())
      if (node instanceof FolderNode) this.#syncNames(node)
  }
}

function torn(change: FileChange, fate: Fate): FileChange {
  if (change.kind === 'truncate') return change
  const { offset, bytes } = change
  return { kind: 'write', offset, bytes: bytes.subarray(0, fate.tear(offset, bytes.length)) }
}

function setNames(names: Map<string, Node>, change: NameChange): void {
  for (const [name, node] of change) {
    if (node === null) names.delete(name)
    else names.set(name, node)
  }
}
