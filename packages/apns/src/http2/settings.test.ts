import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DEFAULT_OWN_SETTINGS, encodeOwnSettings, PeerSettings } from './settings.ts'

describe('PeerSettings', () => {
  it('starts with what the RFC assumes', () => {
    assert.deepEqual(Object.fromEntries(Object.entries(new PeerSettings())), {
      headerTableBytes: 4096,
      maxConcurrentStreams: Number.POSITIVE_INFINITY,
      initialWindowBytes: 65_535,
      maxFrameBytes: 16_384,
      maxHeaderListBytes: Number.POSITIVE_INFINITY,
    })
  })

  it('takes every setting over, and tells what it was before', () => {
    const peer = new PeerSettings()
    const changes = peer.apply([
      [1, 0],
      [3, 1],
      [4, 100],
      [5, 32_768],
      [6, 8192],
    ])
    assert.deepEqual(changes, [
      { identifier: 1, from: 4096, to: 0 },
      { identifier: 3, from: Number.POSITIVE_INFINITY, to: 1 },
      { identifier: 4, from: 65_535, to: 100 },
      { identifier: 5, from: 16_384, to: 32_768 },
      { identifier: 6, from: Number.POSITIVE_INFINITY, to: 8192 },
    ])
    assert.deepEqual(Object.fromEntries(Object.entries(peer)), {
      headerTableBytes: 0,
      maxConcurrentStreams: 1,
      initialWindowBytes: 100,
      maxFrameBytes: 32_768,
      maxHeaderListBytes: 8192,
    })
  })

  it('tells each step of a setting that comes twice, in order', () => {
    const changes = new PeerSettings().apply([
      [1, 0],
      [1, 4096],
    ])
    assert.deepEqual(changes, [
      { identifier: 1, from: 4096, to: 0 },
      { identifier: 1, from: 0, to: 4096 },
    ])
  })

  it('tells nothing of a setting that stands so already, or that it does not know', () => {
    const changes = new PeerSettings().apply([
      [4, 65_535],
      [2, 0],
      [0x99, 7],
    ])
    assert.deepEqual(changes, [])
  })
})

describe('encodeOwnSettings', () => {
  it('rules pushes out, whatever else is set', () => {
    assert.deepEqual(
      encodeOwnSettings({ ...DEFAULT_OWN_SETTINGS, headerTableBytes: 4096, maxHeaderListBytes: 1 }),
      [
        [2, 0],
        [6, 1],
      ],
    )
  })

  it('leaves out what stands so by default', () => {
    assert.deepEqual(
      encodeOwnSettings({ ...DEFAULT_OWN_SETTINGS, initialWindowBytes: 1, maxFrameBytes: 2 ** 15 }),
      [
        [1, 0],
        [2, 0],
        [4, 1],
        [5, 32_768],
        [6, 32_768],
      ],
    )
  })
})
