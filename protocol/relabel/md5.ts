/**
 * MD5 (RFC 1321), for `hashmod` only, where upstream fixed it: target sharding must agree with Prometheus's.
 * Not for anything that needs a secure hash.
 */
const SHIFTS = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21] as const
const SINES = Int32Array.from({ length: 64 }, (_, i) => Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32) | 0)

/** @returns the 16 bytes of the digest */
export function md5(input: Uint8Array): Uint8Array {
  const padded = new Uint8Array((((input.length + 8) >> 6) + 1) << 6)
  padded.set(input)
  padded[input.length] = 0x80
  const view = new DataView(padded.buffer)
  view.setUint32(padded.length - 8, (input.length << 3) >>> 0, true)
  view.setUint32(padded.length - 4, Math.floor(input.length / 2 ** 29), true)
  const state = Int32Array.of(0x67452301, 0xefcdab89 | 0, 0x98badcfe | 0, 0x10325476)
  for (let offset = 0; offset < padded.length; offset += 64) addBlock(state, view, offset)
  const out = new DataView(new ArrayBuffer(16))
  for (let i = 0; i < 4; i++) out.setInt32(4 * i, state[i]!, true)
  return new Uint8Array(out.buffer)
}

function addBlock(state: Int32Array, view: DataView, offset: number): void {
  let a = state[0]!
  let b = state[1]!
  let c = state[2]!
  let d = state[3]!
  for (let i = 0; i < 64; i++) {
    const round = i >> 4
    let f: number
    let word: number
    if (round === 0) {
      f = (b & c) | (~b & d)
      word = i
    } else if (round === 1) {
      f = (d & b) | (~d & c)
      word = (5 * i + 1) & 15
    } else if (round === 2) {
      f = b ^ c ^ d
      word = (3 * i + 5) & 15
    } else {
      f = c ^ (b | ~d)
      word = (7 * i) & 15
    }
    const sum = (f + a + SINES[i]! + view.getInt32(offset + 4 * word, true)) | 0
    const shift = SHIFTS[4 * round + (i & 3)]!
    a = d
    d = c
    c = b
    b = (b + ((sum << shift) | (sum >>> (32 - shift)))) | 0
  }
  state[0] = (state[0]! + a) | 0
  state[1] = (state[1]! + b) | 0
  state[2] = (state[2]! + c) | 0
  state[3] = (state[3]! + d) | 0
}
