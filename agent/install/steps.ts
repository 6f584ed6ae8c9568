/** What an installation does, as a list that can be shown, carried out and repeated. */
import type { Disk } from '../../protocol/env/mod.ts'
import type { HostTools } from './host.ts'

type Owned = { readonly owner?: readonly [user: string, group: string] }
export type Step =
  | ({ readonly kind: 'directory'; readonly path: string; readonly mode: number } & Owned)
  | ({
      readonly kind: 'file'
      readonly path: string
      readonly text: string
      readonly mode: number
      /** A file without this text was made or changed by somebody else and stays; '' = any file that is there stays. */
      readonly replaceIf: string
    } & Owned)
  | { readonly kind: 'program'; readonly from: string; readonly path: string }
  | { readonly kind: 'account'; readonly name: string; readonly home: string }
  | { readonly kind: 'run'; readonly command: readonly string[]; readonly isOptional?: boolean }
  | { readonly kind: 'remove'; readonly path: string; readonly isFolder?: boolean; readonly ifEmpty?: boolean }

export type StepContext = {
  readonly disk: Disk
  readonly tools: HostTools
  /** '' or a folder that stands for `/`: then accounts, owners and services are left alone. */
  readonly root: string
  readonly isDryRun: boolean
  readonly say: (line: string) => void
}

/** Carries out the steps in order, saying what each did. @throws when one fails */
export function carryOut(steps: readonly Step[], context: StepContext): void {
  for (const step of steps) context.say(`${context.isDryRun ? 'would ' : ''}${one(step, context)}`)
}

function one(step: Step, context: StepContext): string {
  switch (step.kind) {
    case 'directory':
      return directory(step, context)
    case 'file':
      return file(step, context)
    case 'program':
      return program(step, context)
    case 'account':
      return account(step, context)
    case 'run':
      return run(step, context)
    case 'remove':
      return remove(step, context)
  }
}

function directory({ path, mode, owner }: Extract<Step, { kind: 'directory' }>, context: StepContext): string {
  const { disk, tools, root, isDryRun } = context
  const place = root + path
  if (disk.stat(place)?.isDirectory) return `keep ${place}`
  if (!isDryRun) {
    disk.makeDirectory(place, { mode })
    tools.chmod(place, mode)
    give(place, owner, context)
  }
  return `make ${place} (mode ${octal(mode)}${ownerText(owner)})`
}

function file(step: Extract<Step, { kind: 'file' }>, context: StepContext): string {
  const { disk, tools, root, isDryRun } = context
  const place = root + step.path
  const present = disk.stat(place) ? disk.readText(place) : null
  if (present === step.text) return `keep ${place}: up to date`
  if (present !== null && (step.replaceIf === '' || !present.includes(step.replaceIf)))
    return `keep ${place}: it was changed by hand`
  if (!isDryRun) {
    disk.makeDirectory(place.slice(0, place.lastIndexOf('/')), { mode: 0o755 })
    disk.writeFileAtomic(place, step.text, { mode: step.mode })
    tools.chmod(place, step.mode)
    give(place, step.owner, context)
  }
  return `${present === null ? 'write' : 'update'} ${place} (mode ${octal(step.mode)}${ownerText(step.owner)})`
}

function program({ from, path }: Extract<Step, { kind: 'program' }>, context: StepContext): string {
  const place = context.root + path
  if (from === place) return `keep ${place}: it is this program`
  if (!context.isDryRun) context.tools.copyFile(from, place, 0o755)
  return `copy ${from} to ${place}`
}

function account({ name, home }: Extract<Step, { kind: 'account' }>, { tools, root, isDryRun }: StepContext): string {
  if (root !== '') return `leave accounts alone (--root): ${name} is made when it is installed`
  if (tools.run('id', ['-u', name]).status === 0) return `keep account ${name}`
  const command = ['useradd', '--system', '--user-group', '--home-dir', home, '--no-create-home']
  command.push('--shell', '/usr/sbin/nologin', name)
  if (isDryRun) return `run ${command.join(' ')}`
  const { status, output } = tools.run(command[0]!, command.slice(1))
  if (status !== 0) throw new Error(`Cannot make the account ${name}: ${output}`)
  return `make account ${name}`
}

function run({ command, isOptional }: Extract<Step, { kind: 'run' }>, context: StepContext): string {
  const shown = command.join(' ')
  if (context.root !== '') return `leave services alone (--root): ${shown}`
  if (context.isDryRun) return `run ${shown}`
  const { status, output } = context.tools.run(command[0]!, command.slice(1))
  if (status === 0) return `run ${shown}`
  if (isOptional) return `run ${shown}: not possible here (${output.split('\n')[0]})`
  throw new Error(`${shown} failed with status ${status}: ${output}`)
}

function remove({ path, isFolder, ifEmpty }: Extract<Step, { kind: 'remove' }>, context: StepContext): string {
  const { disk, root, isDryRun } = context
  const place = root + path
  if (disk.stat(place, { followLinks: false }) === null) return `find ${place} gone`
  if (ifEmpty && disk.readDirectory(place).length > 0) return `keep ${place}`
  if (!isDryRun) {
    if (isFolder) disk.removeDirectory(place, { recursive: true })
    else disk.unlink(place)
  }
  return `remove ${place}`
}

function give(place: string, owner: readonly [string, string] | undefined, { tools, root }: StepContext): void {
  if (owner && root === '') tools.chown(place, owner[0], owner[1])
}

const octal = (mode: number): string => mode.toString(8).padStart(4, '0')
const ownerText = (owner?: readonly [string, string]): string => (owner ? `, ${owner[0]}:${owner[1]}` : '')
