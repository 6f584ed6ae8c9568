import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { sectionAddress } from './elf-section.ts'

type Section = readonly [name: string, address: bigint, size: bigint]

/** A program of headers alone. @param type 2 = runs where it was linked to, 3 = anywhere */
function elf(type: number, sections: readonly Section[]): Uint8Array {
  const all: readonly Section[] = [['', 0n, 0n], ...sections, ['.shstrtab', 0n, 0n]]
  const names = all.map(([name]) => `${name}\0`).join('')
  const bytes = new Uint8Array(64 + 64 * all.length + names.length)
  const view = new DataView(bytes.buffer)
  const namesFrom = 64 + 64 * all.length
  view.setUint32(0, 0x7f454c46)
  view.setUint8(4, 2)
  view.setUint16(16, type, true)
  view.setBigUint64(40, 64n, true)
  view.setUint16(58, 64, true)
  view.setUint16(60, all.length, true)
  view.setUint16(62, all.length - 1, true)
  let nameAt = 0
  for (const [i, [name, address, size]] of all.entries()) {
    const at = 64 + 64 * i
    view.setUint32(at, nameAt, true)
    view.setBigUint64(at + 16, address, true)
    const isNames = i === all.length - 1
    view.setBigUint64(at + 24, isNames ? BigInt(namesFrom) : 0n, true)
    view.setBigUint64(at + 32, isNames ? BigInt(names.length) : size, true)
    nameAt += name.length + 1
  }
  bytes.set(new TextEncoder().encode(names), namesFrom)
  return bytes
}

const SECTIONS: readonly Section[] = [
  ['.text', 0x1000n, 0x500n],
  ['.bun', 0x6a22000n, 0xc6277an],
]
const rows: readonly [name: string, bytes: Uint8Array, expected: object | null][] = [
  ['a section by its name', elf(2, SECTIONS), { from: 0x6a22000n, to: 0x768477an }],
  ['none of that name', elf(2, SECTIONS.slice(0, 1)), null],
  ['a program that may be loaded anywhere', elf(3, SECTIONS), null],
  ['a script', new TextEncoder().encode(`#!/bin/sh\n${'echo '.repeat(40)}`), null],
  ['an empty file', new Uint8Array(0), null],
]
for (const [name, bytes, expected] of rows)
  test(`sectionAddress() of ${name}`, () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'helio-elf-'))
    try {
      fs.writeFileSync(path.join(folder, 'program'), bytes)
      assert.deepEqual(sectionAddress(path.join(folder, 'program'), '.bun'), expected)
    } finally {
      fs.rmSync(folder, { recursive: true })
    }
  })
