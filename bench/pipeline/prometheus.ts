/** Phase (b): Prometheus that scrapes the same fleet; and, for its wire, Prometheus that writes to a counting sink. */
import fs from 'node:fs'
import path from 'node:path'
import { checkAnswers } from './answers.ts'
import type { Fleet } from './fleet-client.ts'
import { scrapeConfigs } from './heliograph.ts'
import { freePort, Program } from './program.ts'
import type { WireBytes } from './proxy.ts'
import { WriteSink } from './sink.ts'
import { type DiskUse, diskUse } from './usage.ts'
import { measureWindow, type Schedule, type Window } from './window.ts'

export type PrometheusResult = {
  readonly window: Window
  readonly storedSamples: number
  /** After a graceful stop. */
  readonly disk: Readonly<Record<string, DiskUse>>
  readonly complaints: readonly string[]
}

export type RemoteWriteResult = Readonly<
  Record<'1.0' | '2.0', { readonly wire: WireBytes; readonly samples: number; readonly requests: number }>
>

export async function runPrometheus(
  binary: string,
  fleet: Fleet,
  schedule: Schedule,
  folder: string,
): Promise<PrometheusResult> {
  await fleet.start()
  await using server = await launch(binary, folder, scrapeConfigs(fleet, schedule.intervalMs))
  const window = await measureWindow(fleet, [server.program], schedule, () => {})
  await fleet.freeze()
  const storedSamples = await checkAnswers('Prometheus', server.url, await fleet.totals())
  await server.program.stop()
  return { window, storedSamples, disk: diskUse(server.data), complaints: server.program.complaints() }
}

/** One Prometheus, both versions of the protocol at once: only its wire is measured. */
export async function runRemoteWrite(
  binary: string,
  fleet: Fleet,
  schedule: Schedule,
  folder: string,
): Promise<RemoteWriteResult> {
  await using one = await WriteSink.listen('1.0')
  await using two = await WriteSink.listen('2.0')
  await fleet.start()
  await using server = await launch(
    binary,
    folder,
    `${scrapeConfigs(fleet, schedule.intervalMs)}remote_write:
  - url: ${one.url}
    name: one
  - url: ${two.url}
    name: two
    protobuf_message: io.prometheus.write.v2.Request
`,
  )
  const sinks = { '1.0': one, '2.0': two }
  const read = () => ({ '1.0': one.counts(), '2.0': two.counts() })
  const at = { begin: read(), end: read() }
  await measureWindow(fleet, [server.program], schedule, (edge) => {
    at[edge] = read()
  })
  const result = (version: keyof typeof sinks): RemoteWriteResult['1.0'] => {
    const [begin, end] = [at.begin[version], at.end[version]]
    return {
      wire: { up: end.bytes.up - begin.bytes.up, down: end.bytes.down - begin.bytes.down },
      samples: end.samples - begin.samples,
      requests: end.requests - begin.requests,
    }
  }
  await server.program.stop()
  return { '1.0': result('1.0'), '2.0': result('2.0') }
}

async function launch(binary: string, folder: string, config: string) {
  fs.mkdirSync(folder, { recursive: true })
  const configFile = path.join(folder, 'prometheus.yml')
  fs.writeFileSync(configFile, `global:\n  scrape_interval: 15s\n${config}`)
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const data = path.join(folder, 'data')
  const program = new Program({
    name: 'prometheus',
    file: binary,
    args: [
      `--config.file=${configFile}`,
      `--storage.tsdb.path=${data}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=info',
    ],
    logFile: path.join(folder, 'prometheus.log'),
  })
  try {
    await program.ready(`${url}/-/ready`)
  } catch (error) {
    await program[Symbol.asyncDispose]()
    throw error
  }
  return { program, url, data, [Symbol.asyncDispose]: () => program[Symbol.asyncDispose]() }
}
