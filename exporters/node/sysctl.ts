/**
 * Kernel parameters that the configuration names: `fs.file-nr` is one sample an index, `fs.file-nr:total,current,max`
 * one family a field; those of `include-info` are strings in a label.
 */
import { FlagError, type Flags, listFlag } from '../contract.ts'
import { intLiteral } from './attributes.ts'
import { type Collector, collectInto, FamilySet, type NodeContext } from './collector.ts'
import { words } from './files.ts'

type Parameter = { readonly name: string; readonly keys: readonly string[]; readonly numeric: boolean }

export function sysctlCollector({ disk, procfs, flags }: NodeContext): Collector {
  const parameters = [
    ...parse(flags, 'collector.sysctl.include', true),
    ...parse(flags, 'collector.sysctl.include-info', false),
  ]
  return {
    name: 'sysctl',
    update() {
      const out = new FamilySet()
      return collectInto(out, () => {
        for (const parameter of parameters) {
          const file = `${procfs}/sys/${parameter.name.replaceAll('.', '/')}`
          const values = words(disk.readText(file))
          checkFields(parameter, values, file)
          if (parameter.numeric) numbers(out, parameter, values, file)
          else strings(out, parameter, values)
        }
      })
    },
  }
}

/** @throws FlagError for a parameter that could leave /proc/sys */
function parse(flags: Flags, flag: string, numeric: boolean): Parameter[] {
  return listFlag(flags, flag).map((text) => {
    const [name = '', keys] = text.split(':')
    if (!/^[\w.-]+$/.test(name) || name.includes('..'))
      throw new FlagError(flag, `must be NAME or NAME:FIELD,FIELD with dots between its parts, got "${text}"`)
    return { name, keys: keys ? keys.split(',') : [], numeric }
  })
}

const metricName = (text: string): string => text.replace(/[^a-zA-Z0-9_]+/g, '_')

/** A parameter of one value is named by itself alone, as upstream. */
function checkFields({ keys }: Parameter, values: readonly string[], file: string): void {
  if (values.length === 0) throw new Error(`Cannot read ${file}: it has no values`)
  if (keys.length > 0 && (values.length === 1 || keys.length !== values.length))
    throw new Error(
      `Cannot read ${file}: ${keys.length} fields are named (${keys.join(', ')}), it has ${values.length}`,
    )
}

function numbers(out: FamilySet, { name, keys }: Parameter, values: readonly string[], file: string): void {
  const base = `sysctl_${metricName(name)}`
  if (keys.length > 0) {
    keys.forEach((key, i) => {
      const help = `sysctl ${name}, field ${i}`
      out.add('untyped', `${base}_${metricName(key)}`, help, [], intLiteral(values[i]!, file))
    })
    return
  }
  values.forEach((value, i) => {
    const labels = values.length > 1 ? ['index', String(i)] : []
    out.add('untyped', base, `sysctl ${name}`, labels, intLiteral(value, file))
  })
}

function strings(out: FamilySet, { name, keys }: Parameter, values: readonly string[]): void {
  values.forEach((value, i) => {
    const position = keys[i] === undefined ? ['index', String(i)] : []
    const shown = keys[i] === undefined ? name : `${name}.${keys[i]}`
    out.gauge('sysctl_info', 'sysctl info', [...position, 'name', shown, 'value', value])
  })
}
