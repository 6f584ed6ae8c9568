/** The kit's haproxy cases through the exporter itself; `Net` answers as each case says. */
import { type ByteSocket, type Clock, type Disk, type Logger, type Net, NetError } from '../../protocol/env/mod.ts'
import { type CaseResult, caseOf, comparePage, expectEqual } from '../cases.ts'
import { createHaproxyExporter, parseStatus } from './mod.ts'

type Case = {
  readonly name: string
  readonly transport: 'http' | 'unix'
  readonly csv?: string
  readonly info?: string
  readonly server?: string
  readonly expected: string
}
type Cases = {
  readonly cases: readonly Case[]
  readonly statusField: readonly { readonly input: string; readonly value: number }[]
  readonly scrapeURI: readonly { readonly uri: string; readonly error: string }[]
}
type Env = { readonly disk: Disk; readonly clock: Clock; readonly log: Logger }

/** @param readText a file of `exporters/haproxy` by its name */
export async function runHaproxyCases(readText: (name: string) => string, env: Env): Promise<CaseResult[]> {
  const cases = JSON.parse(readText('cases.json')) as Cases
  const out: CaseResult[] = []
  for (const one of cases.cases) {
    const flags = {
      'haproxy.scrape-uri': one.transport === 'http' ? 'http://haproxy.test/;csv' : 'unix:/run/haproxy.sock',
      'haproxy.timeout': '20ms',
    }
    const families = await createHaproxyExporter({ ...env, net: netOf(one), flags }).collect()
    out.push(...comparePage(one.name, families, readText(one.expected)))
  }
  for (const { input, value } of cases.statusField)
    out.push(await caseOf(`status ${input}`, () => expectEqual(parseStatus(input), value)))
  for (const { uri, error } of cases.scrapeURI)
    out.push(
      await caseOf(`scrape URI ${uri}`, () => {
        let got = ''
        try {
          createHaproxyExporter({ ...env, net: netOf({}), flags: { 'haproxy.scrape-uri': uri } })
        } catch (problem) {
          got = (problem as Error).message
        }
        if (!got.includes(error)) throw new Error(`got "${got}", want "${error}"`)
      }),
    )
  return out
}

function netOf({ csv, info, server }: Partial<Case>): Pick<Net, 'connectUnix' | 'request'> {
  const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
  return {
    async request() {
      if (server === 'answers 404') return { status: 404, headers: {}, body: encode('not found') }
      if (csv === undefined) throw new NetError('TIMEOUT', 'context deadline exceeded')
      return { status: 200, headers: {}, body: encode(csv) }
    },
    async connectUnix(path) {
      if (server === 'the socket does not exist') throw new NetError('ENOENT', `dial unix ${path}: no such file`)
      return answering((command) => (command === 'show info\n' ? info : command === 'show stat\n' ? csv : undefined))
    },
  }
}

/** Answers one command and closes; undefined never answers. */
function answering(answer: (command: string) => string | undefined): ByteSocket {
  let onData: (chunk: Uint8Array) => void = () => {}
  let onClose: (error: Error | null) => void = () => {}
  const nothing = (): void => {}
  return {
    remoteAddress: '@',
    pendingBytes: 0,
    write: (bytes) => {
      const text = answer(new TextDecoder().decode(bytes))
      if (text !== undefined)
        queueMicrotask(() => {
          onData(new TextEncoder().encode(text))
          onClose(null)
        })
      return true
    },
    onData: (fn) => {
      onData = fn
    },
    onClose: (fn) => {
      onClose = fn
    },
    onDrain: nothing,
    pause: nothing,
    resume: nothing,
    end: nothing,
    destroy: nothing,
  }
}
