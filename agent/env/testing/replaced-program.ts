/** A copy of the runtime runs this: its file goes, as at an upgrade, before its pages are looked at. */
import fs from 'node:fs'
import type { Clock, Logger } from '../../../protocol/env/mod.ts'
import { unmapNowAndThen } from '../program-pages.ts'

fs.rmSync(process.execPath)
const due: (() => void)[] = []
const clock = { monotonic: () => 0, setTimer: (_: number, fn: () => void) => due.push(fn) } as unknown as Clock
const log = {
  debug: (text: string, { err }: { readonly err: unknown }) => console.log(text, err),
} as unknown as Logger
unmapNowAndThen(clock, log)
due.shift()!()
if (due.length === 1) console.log('goes on')
