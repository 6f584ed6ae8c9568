/** The agent as a program for a bench: on Node from its sources, or as the compiled single file. */
import fs from 'node:fs'
import path from 'node:path'
import { type Agent, type Hub, type Program, until, type World } from '../e2e/world.ts'
import { buildSingleFile, bunPath } from '../package/main.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')

export type Command = readonly [file: string, ...args: string[]]

/** The ways to run it that this machine has; the first is the one that is shipped. */
export function commands(world: World): readonly (readonly [name: string, command: Command])[] {
  const node = ['ours, on Node', [process.execPath, path.join(ROOT, 'agent/main.ts')]] as const
  if (bunPath() === null) return [node]
  const single = path.join(world.folder, 'heliograph-agent')
  if (!fs.existsSync(single)) buildSingleFile(single)
  return [['ours, one file', [single]], node]
}

export type Ours = { readonly program: Program; readonly agent: Agent }

/** The configuration and the port are made as for a test; the program is another. */
export async function startOurs(
  world: World,
  name: string,
  [file, ...first]: Command,
  options: {
    readonly hub?: Hub
    readonly exporters: string
    readonly scrapeInterval: string
    readonly config?: string
  },
): Promise<Ours> {
  const id = name.toLowerCase().replace(/\W+/g, '-')
  const agent = await world.prepareAgent({ ...options, id, name: id })
  if (options.hub) await freshToken(world, options.hub)
  const args = [...first, `--config.file=${agent.configFile}`, `--web.listen-address=127.0.0.1:${agent.port}`]
  const program = world.program({ name, file, args })
  program.spawn()
  const isReady = async (): Promise<boolean> => (await fetch(`${agent.url}/-/ready`)).ok
  await until(`${name} is ready`, isReady, { explain: () => program.tail(), timeoutMs: 60_000 })
  return { program, agent }
}

const enrolled = new WeakSet<Hub>()

/** A token is good for one agent. */
async function freshToken(world: World, hub: Hub): Promise<void> {
  const isFirst = !enrolled.has(hub)
  enrolled.add(hub)
  if (isFirst) return
  const { code, stdout, stderr } = await world.run(process.execPath, [
    path.join(ROOT, 'hub/main.ts'),
    ...['agents', 'token', `--storage.tsdb.path=${hub.dataFolder}`, `--web.listen-address=${hub.address}`],
  ])
  if (code !== 0) throw new Error(`no token for another agent: ${stderr}`)
  fs.writeFileSync(hub.tokenFile, stdout)
}
