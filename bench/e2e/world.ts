/**
 * A small world of real processes for one test file: hubs, agents, NATS, Prometheus… on free ports of the loopback, in a
 * folder of its own. `close()` ends whatever still runs and fails if anything that was started here survived, or if a
 * hub or an agent did not exit with 0.
 *
 *     test('…', () =>
 *       withWorld(async (world) => {
 *         const hub = await world.startHub({ config: 'scrape_configs: []' })
 *         const agent = await world.startAgent({ hub, exporters: '{ nodejs: {} }' })
 *         await until('up', () => queryValue(hub, 'up'))
 *         await agent.kill()            // kill -9
 *         await agent.restart()         // the same flags, files and ports
 *       }))
 */
import { execFile } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { LAUNCH } from '../launcher/launch-settings.ts'
import { peer } from '../peers/peers.ts'
import { sleep, until } from './client.ts'
import { freePort } from './free-port.ts'
import { Program, type ProgramOptions } from './program.ts'

export * from './client.ts'
export { freePort } from './free-port.ts'
export { type Exit, Program } from './program.ts'

export const ROOT = path.resolve(import.meta.dirname, '../..')
const READY_TIMEOUT_MS = 120_000
const MARK = 'HELIO_E2E_WORLD'
/** Of a tenth of a second: whoever lost its parent ends by itself, on a starved host not at once. */
const SURVIVORS_TRIES = 300

/** A program that serves HTTP and says on `readyPath` when it is there. */
export class HttpProgram extends Program {
  readonly port: number
  readonly url: string
  readonly folder: string
  readonly #readyPath: string
  constructor(options: ProgramOptions, places: { port: number; folder: string; readyPath: string }) {
    super(options)
    this.port = places.port
    this.url = `http://127.0.0.1:${places.port}`
    this.folder = places.folder
    this.#readyPath = places.readyPath
  }

  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  async isReady(): Promise<boolean> {
    const response = await fetch(this.url + this.#readyPath, { signal: AbortSignal.timeout(2000) })
    await response.arrayBuffer()
    return response.ok
  }

  /** Starts it, for the first time or again, and waits until it is ready. */
  async restart(): Promise<this> {
    this.spawn()
    await until(
      `${this.name} is ready`,
      async () => {
        if (!this.isRunning) return 'ended'
        return (await this.isReady()) && 'ready'
      },
      { timeoutMs: READY_TIMEOUT_MS, explain: () => this.tail() },
    ).then((state) => {
      if (state === 'ended') throw new Error(`${this.name} ended before it was ready\n${this.tail()}`)
    })
    return this
  }
}

export class Hub extends HttpProgram {
  configFile = ''
  dataFolder = ''
  tokenFile = ''
  /** `nats://…` of the embedded bus; '' with a real NATS. */
  busUrl = ''
}

export class Agent extends HttpProgram {
  id = ''
  configFile = ''
  dataFolder = ''
}

export type HubOptions = {
  readonly name?: string
  /** Text of prometheus.yml without its `heliograph:` part. */
  readonly config?: string
  /** More lines under `heliograph:`, not indented. */
  readonly heliograph?: string
  /** More files beside the configuration (`rules.yml`, `alertmanager.yml`), by name. */
  readonly files?: Readonly<Record<string, string>>
  readonly flags?: readonly string[]
  /** URL of a real NATS instead of the embedded bus. */
  readonly nats?: string
  readonly env?: Readonly<Record<string, string>>
  readonly port?: number
}

export type AgentOptions = {
  readonly name?: string
  readonly id?: string
  readonly hub?: Hub
  /** URL of a real NATS, or of the hub's bus; without, the agent uses the hub's WebSocket. */
  readonly nats?: string
  /** YAML value of `exporters:`. */
  readonly exporters?: string
  readonly scrapeInterval?: string
  /** More lines of agent.yml, such as `scrape_configs:`. */
  readonly config?: string
  readonly maxBytes?: string
  readonly flags?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** The compiled agent, instead of agent/main.ts on Node. */
  readonly executable?: string
}

export class World {
  readonly folder = fs.mkdtempSync(path.join(os.tmpdir(), 'helio-e2e-'))
  readonly #mark = `${process.pid}-${Math.random().toString(36).slice(2)}`
  readonly #programs: Program[] = []
  readonly #cleanups: (() => Promise<void> | void)[] = []
  readonly #enrolled = new Set<Hub>()

  /** The environment of everything that is started here: children of children are found by it. */
  env(more: Readonly<Record<string, string>> = {}): Record<string, string | undefined> {
    const { NODE_TEST_CONTEXT: _, NODE_OPTIONS: __, ...own } = process.env
    return { ...own, [MARK]: this.#mark, ...LAUNCH.hub.env, ...more }
  }

  /** Called at the end, newest first, before the processes are stopped. */
  onClose(cleanup: () => Promise<void> | void): void {
    this.#cleanups.push(cleanup)
  }

  file(name: string, text?: string): string {
    const file = path.join(this.folder, name)
    fs.mkdirSync(path.dirname(file), { recursive: true })
    if (text !== undefined) fs.writeFileSync(file, text)
    return file
  }

  program(options: Pick<ProgramOptions, 'name' | 'file' | 'args'> & { env?: Record<string, string> }): Program {
    const program = new Program({ ...options, env: this.env(options.env), cwd: this.folder })
    this.#programs.push(program)
    return program
  }

  /** Made but not started: `restart()` does. */
  async prepareHub(options: HubOptions = {}): Promise<Hub> {
    const name = options.name ?? this.#unused('hub')
    const port = options.port ?? (await freePort())
    const busPort = options.nats ? 0 : await freePort()
    const tokenFile = this.file(`${name}/enroll.token`)
    const dataFolder = this.file(`${name}/data`)
    const transport = options.nats ? `nats: { url: '${options.nats}' }` : `bus: { listen: '127.0.0.1:${busPort}' }`
    const own = `${transport}\nenrollment: { token_file: '${tokenFile}' }\n${options.heliograph ?? ''}`
    const configFile = this.file(
      `${name}/prometheus.yml`,
      `${options.config ?? 'global: { scrape_interval: 1s }'}\nheliograph:\n${indent(own)}`,
    )
    for (const [file, text] of Object.entries(options.files ?? {})) this.file(`${name}/${file}`, text)
    const hub = new Hub(
      this.#node(name, 'hub/main.ts', options.env, [
        `--config.file=${configFile}`,
        `--storage.tsdb.path=${dataFolder}`,
        `--web.listen-address=127.0.0.1:${port}`,
        ...(options.flags ?? ['--web.enable-lifecycle', '--web.enable-remote-write-receiver']),
      ]),
      { port, folder: this.file(name), readyPath: '/-/ready' },
    )
    Object.assign(hub, { configFile, dataFolder, tokenFile, busUrl: options.nats ? '' : `nats://127.0.0.1:${busPort}` })
    this.#programs.push(hub)
    return hub
  }

  async startHub(options: HubOptions = {}): Promise<Hub> {
    return (await this.prepareHub(options)).restart()
  }

  async prepareAgent(options: AgentOptions = {}): Promise<Agent> {
    const name = options.name ?? this.#unused('agent')
    const port = await freePort()
    const id = options.id ?? name
    const dataFolder = this.file(`${name}/data`)
    const configFile = this.file(
      `${name}/agent.yml`,
      [
        `global: { scrape_interval: ${options.scrapeInterval ?? '1s'} }`,
        `agent: { id: ${id} }`,
        options.hub ? `hub: { url: '${options.hub.url}', token_file: '${options.hub.tokenFile}' }` : '',
        options.nats ? `nats: { url: '${options.nats}' }` : '',
        `storage: { path: '${dataFolder}', max_bytes: ${options.maxBytes ?? '64MB'} }`,
        `exporters: ${options.exporters ?? '{ nodejs: {} }'}`,
        options.config ?? '',
        '',
      ].join('\n'),
    )
    const args = [
      `--config.file=${configFile}`,
      `--web.listen-address=127.0.0.1:${port}`,
      ...(options.flags ?? ['--web.enable-lifecycle']),
    ]
    const { executable } = options
    const agent = new Agent(
      executable
        ? { name, file: executable, args, env: this.env(options.env), cwd: this.folder }
        : this.#node(name, 'agent/main.ts', options.env, args),
      { port, folder: this.file(name), readyPath: '/-/ready' },
    )
    Object.assign(agent, { id, configFile, dataFolder })
    this.#programs.push(agent)
    return agent
  }

  async startAgent(options: AgentOptions = {}): Promise<Agent> {
    const { hub } = options
    if (hub && this.#enrolled.has(hub)) await this.#newToken(hub)
    if (hub) this.#enrolled.add(hub)
    return (await this.prepareAgent(options)).restart()
  }

  /** A token is good for one agent; for the next one, the operator asks the hub for another. */
  async #newToken(hub: Hub): Promise<void> {
    const { code, stdout, stderr } = await this.run(process.execPath, [
      path.join(ROOT, 'hub/main.ts'),
      ...['agents', 'token', `--storage.tsdb.path=${hub.dataFolder}`, `--web.listen-address=${hub.address}`],
    ])
    if (code !== 0) throw new Error(`no token for another agent: ${stderr}`)
    fs.writeFileSync(hub.tokenFile, stdout)
  }

  /** A nats-server with JetStream; its store outlives a kill. */
  async startNats({ conf = '' } = {}): Promise<HttpProgram & { readonly natsUrl: string }> {
    const name = this.#unused('nats')
    const [port, monitorPort] = [await freePort(), await freePort()]
    const file = this.file(
      `${name}/nats.conf`,
      `listen: 127.0.0.1:${port}\nhttp: 127.0.0.1:${monitorPort}\njetstream { store_dir: "${this.file(`${name}/js`)}" }\n${conf}\n`,
    )
    const server = new HttpProgram(
      { name, file: needed('nats-server'), args: ['-c', file], env: this.env(), cwd: this.folder },
      { port: monitorPort, folder: this.file(name), readyPath: '/healthz' },
    )
    this.#programs.push(server)
    await server.restart()
    return Object.assign(server, { natsUrl: `nats://127.0.0.1:${port}` })
  }

  async startPrometheus(options: {
    /** `OWN_ADDRESS` in it stands for where this Prometheus listens. */
    readonly config: string
    readonly flags?: readonly string[]
    readonly files?: Readonly<Record<string, string>>
  }): Promise<HttpProgram> {
    const name = this.#unused('prometheus')
    const port = await freePort()
    const file = this.file(`${name}/prometheus.yml`, options.config.replaceAll('OWN_ADDRESS', `127.0.0.1:${port}`))
    for (const [each, text] of Object.entries(options.files ?? {})) this.file(`${name}/${each}`, text)
    const server = new HttpProgram(
      {
        name,
        file: needed('prometheus'),
        args: [
          `--config.file=${file}`,
          `--storage.tsdb.path=${this.file(`${name}/data`)}`,
          `--web.listen-address=127.0.0.1:${port}`,
          '--web.enable-lifecycle',
          ...(options.flags ?? []),
        ],
        env: this.env(),
        cwd: this.folder,
      },
      { port, folder: this.file(name), readyPath: '/-/ready' },
    )
    this.#programs.push(server)
    return server.restart()
  }

  async startAlertmanager(config: string): Promise<HttpProgram> {
    const name = this.#unused('alertmanager')
    const port = await freePort()
    const server = new HttpProgram(
      {
        name,
        file: this.#alertmanagerBinary(),
        args: [
          `--config.file=${this.file(`${name}/alertmanager.yml`, config)}`,
          `--storage.path=${this.file(`${name}/data`)}`,
          `--web.listen-address=127.0.0.1:${port}`,
          '--cluster.listen-address=',
        ],
        env: this.env(),
        cwd: this.folder,
      },
      { port, folder: this.file(name), readyPath: '/-/ready' },
    )
    this.#programs.push(server)
    return server.restart()
  }

  /**
   * Debian's Alertmanager reads its templates under an absolute path that only exists where it is installed: a copy of
   * the program gets a path of the same length, relative to where it runs.
   */
  #alertmanagerBinary(): string {
    const copy = path.join(this.folder, 'alertmanager.bin')
    if (fs.existsSync(copy)) return copy
    const installed = '/usr/share/prometheus/alertmanager'
    const here = 'share-of-alertmanager'.padEnd(installed.length, '-')
    const original = needed('alertmanager')
    fs.symlinkSync(path.join(original, '../../share/prometheus/alertmanager'), path.join(this.folder, here))
    const program = fs.readFileSync(original)
    for (let at = program.indexOf(installed); at >= 0; at = program.indexOf(installed, at + 1)) program.write(here, at)
    fs.writeFileSync(copy, program, { mode: 0o755 })
    return copy
  }

  /** Runs something to its end. */
  run(
    file: string,
    args: readonly string[],
    {
      input = '',
      timeoutMs = 180_000,
      env = {},
    }: { input?: string; timeoutMs?: number; env?: Record<string, string> } = {},
  ): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
    return new Promise((resolve, reject) => {
      const options = { env: this.env(env), cwd: this.folder, timeout: timeoutMs, maxBuffer: 64 << 20 }
      const child = execFile(file, args, options, (error, stdout, stderr) => {
        if (error && typeof error.code !== 'number') reject(error)
        else resolve({ code: (error?.code as number | undefined) ?? 0, stdout, stderr })
      })
      child.stdin!.on('error', () => {})
      child.stdin!.end(input)
    })
  }

  /** What every program said last, for a failure that is nobody's in particular. */
  tails(lines = 15): string {
    return this.#programs.map((program) => program.tail(lines)).join('\n')
  }

  /** Pids of everything that runs with this world's mark, whoever its parent is now. */
  survivors(): number[] {
    const needle = `${MARK}=${this.#mark}\0`
    const found: number[] = []
    for (const entry of fs.readdirSync('/proc')) {
      if (!/^\d+$/.test(entry) || Number(entry) === process.pid) continue
      try {
        if (fs.readFileSync(`/proc/${entry}/environ`, 'latin1').includes(needle)) found.push(Number(entry))
      } catch {
        // It ended meanwhile, or is a zombie.
      }
    }
    return found
  }

  /** @throws when a hub or an agent did not stop cleanly, or when something outlived its parent */
  async close(): Promise<void> {
    const problems: string[] = []
    for (const cleanup of this.#cleanups.splice(0).reverse()) {
      try {
        await cleanup()
      } catch (error) {
        problems.push(String(error))
      }
    }
    // In the order of a shutdown: agents, which still deliver, then hubs, then what they all lean on.
    const rank = (program: Program): number => (program instanceof Agent ? 0 : program instanceof Hub ? 1 : 2)
    for (const turn of [0, 1, 2]) {
      await Promise.all(
        this.#programs
          .filter((program) => rank(program) === turn && program.isRunning)
          .map(async (program) => {
            const { code, signal } = await program.stop()
            if (turn < 2 && code !== 0)
              problems.push(`${program.name} ended with ${signal ?? code} instead of 0\n${program.tail()}`)
          }),
      )
    }
    for (let tries = 0; this.survivors().length > 0 && tries < SURVIVORS_TRIES; tries++) await sleep(100)
    for (const pid of this.survivors()) {
      problems.push(`an orphan was left: ${commandOf(pid)}`)
      process.kill(pid, 'SIGKILL')
    }
    fs.rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 })
    if (problems.length > 0) throw new Error(problems.join('\n'))
  }

  #node(
    name: string,
    entry: string,
    env: Readonly<Record<string, string>> | undefined,
    args: readonly string[],
  ): ProgramOptions {
    return {
      name,
      file: process.execPath,
      args: [...(entry === 'hub/main.ts' ? LAUNCH.hub.nodeFlags : []), path.join(ROOT, entry), ...args],
      env: this.env(env),
      cwd: this.folder,
    }
  }

  #unused(kind: string): string {
    const count = this.#programs.filter(({ name }) => name === kind || name.startsWith(`${kind}-`)).length
    return count === 0 ? kind : `${kind}-${count + 1}`
  }
}

/** Runs with a world, and closes it. The first failure is the one that is shown; what the programs said comes with it. */
export async function withWorld(run: (world: World) => Promise<void>): Promise<void> {
  const world = new World()
  try {
    await run(world)
  } catch (error) {
    const tails = world.tails()
    await world.close().catch(() => {})
    if (error instanceof Error) error.message += `\n${tails}`
    throw error
  }
  await world.close()
}

/** For `{ skip: lacks('prometheus') }`: false when all are there, else the reason. */
export function lacks(...names: Parameters<typeof peer>[0][]): string | false {
  for (const name of names) {
    const found = peer(name)
    if (found.path === null) return found.reason
  }
  return false
}

/** For a program of Debian 12 itself. */
export function lacksCommand(file: string): string | false {
  return fs.existsSync(file) ? false : `${file} is not installed`
}

export const PROMTOOL = '/usr/bin/promtool'

function needed(name: Parameters<typeof peer>[0]): string {
  const found = peer(name)
  if (found.path === null) throw new Error(found.reason)
  return found.path
}

function indent(text: string): string {
  return text
    .split('\n')
    .map((line) => (line === '' ? '' : `  ${line}`))
    .join('\n')
}

function commandOf(pid: number): string {
  try {
    return `${pid} ${fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')}`
  } catch {
    return String(pid)
  }
}
