/** V8's CPU profiles, read for one question: which functions take the time themselves? */
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = path.resolve(import.meta.dirname, '../..')
/** A thread that waits: V8's own entries, and piscina's worker in Atomics.wait. */
const WAITING = /^\((idle|program)\)$|^atomicsWaitLoop /

type CpuProfile = {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
  }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

export type SelfTime = { readonly where: string; readonly seconds: number }
export type ThreadProfile = { readonly file: string; readonly busySeconds: number; readonly top: readonly SelfTime[] }

/** One entry per thread that did anything, the busiest first. */
export function readProfiles(folder: string, count: number): ThreadProfile[] {
  if (!fs.existsSync(folder)) return []
  return fs
    .readdirSync(folder)
    .filter((name) => name.endsWith('.cpuprofile'))
    .map((name) => summarise(name, JSON.parse(fs.readFileSync(path.join(folder, name), 'utf8')) as CpuProfile, count))
    .sort((a, b) => b.busySeconds - a.busySeconds)
}

function summarise(file: string, { nodes, samples, timeDeltas }: CpuProfile, count: number): ThreadProfile {
  const where = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]))
  const micros = new Map<string, number>()
  samples.forEach((id, i) => {
    const name = where.get(id)!
    micros.set(name, (micros.get(name) ?? 0) + timeDeltas[i]!)
  })
  const rows = [...micros].map(([name, time]) => ({ where: name, seconds: time / 1e6 }))
  const busy = rows.filter((row) => !WAITING.test(row.where))
  return {
    file,
    busySeconds: busy.reduce((sum, { seconds }) => sum + seconds, 0),
    top: busy.sort((a, b) => b.seconds - a.seconds).slice(0, count),
  }
}

function nameOf({ functionName, url, lineNumber }: CpuProfile['nodes'][number]['callFrame']): string {
  if (url === '') return functionName
  const file = url.startsWith('file:') ? path.relative(ROOT, fileURLToPath(url)) : url
  return `${functionName || '(anonymous)'} ${file}:${lineNumber + 1}`
}

export function formatProfiles(program: string, threads: readonly ThreadProfile[]): string {
  return threads
    .map(({ file, busySeconds, top }) =>
      [
        `${program}, ${file}: ${busySeconds.toFixed(2)} s busy`,
        ...top.map(
          ({ where, seconds }) =>
            `  ${seconds.toFixed(3).padStart(8)} s ${((100 * seconds) / busySeconds).toFixed(1).padStart(5)} %  ${where}`,
        ),
      ].join('\n'),
    )
    .join('\n\n')
}
