/** Command line flags as Prometheus's programs take them: `--a.b=value`, `--a.b value`, `--flag`, `--no-flag`, `--help`, `--version`. */
export type FlagDefinition = {
  readonly name: string
  readonly help: string
  readonly kind: 'string' | 'boolean' | 'list'
  readonly default: string
}

export class UsageError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'UsageError'
  }
}

export type ParsedFlags = {
  readonly values: ReadonlyMap<string, readonly string[]>
  readonly positional: readonly string[]
  readonly wantsHelp: boolean
  readonly wantsVersion: boolean
}

/** @throws UsageError naming the flag */
export function parseFlags(definitions: readonly FlagDefinition[], argv: readonly string[]): ParsedFlags {
  const byName = new Map(definitions.map((definition) => [definition.name, definition]))
  const values = new Map<string, string[]>()
  const positional: string[] = []
  let wantsHelp = false
  let wantsVersion = false
  for (let i = 0; i < argv.length; i++) {
    const arg = argv[i]!
    if (arg === '-h' || arg === '--help') wantsHelp = true
    else if (arg === '--version') wantsVersion = true
    else if (!arg.startsWith('--')) positional.push(arg)
    else {
      const equals = arg.indexOf('=')
      const name = arg.slice(2, equals < 0 ? undefined : equals)
      const given = equals < 0 ? null : arg.slice(equals + 1)
      const negated = name.startsWith('no-') ? byName.get(name.slice(3)) : undefined
      const definition = byName.get(name) ?? (negated?.kind === 'boolean' ? negated : undefined)
      if (!definition) throw new UsageError(`unknown long flag '--${name}'`)
      if (definition.kind === 'boolean') {
        if (given !== null && given !== 'true' && given !== 'false')
          throw new UsageError(`--${name} takes true or false, got "${given}"`)
        const on = given !== 'false'
        values.set(definition.name, [String(negated && definition === negated ? !on : on)])
        continue
      }
      const value = given ?? argv[++i]
      if (value === undefined) throw new UsageError(`expected argument for flag '--${name}'`)
      if (definition.kind === 'list') values.set(name, [...(values.get(name) ?? []), ...value.split(',')])
      else if (values.has(name)) throw new UsageError(`flag '${name}' cannot be repeated`)
      else values.set(name, [value])
    }
  }
  for (const { name, kind, default: fallback } of definitions) {
    if (!values.has(name)) values.set(name, kind === 'list' && fallback === '' ? [] : [fallback])
  }
  return { values, positional, wantsHelp, wantsVersion }
}

export function helpText(program: string, summary: string, definitions: readonly FlagDefinition[]): string {
  const lines = definitions.map(({ name, help, kind, default: fallback }) => {
    const shown = kind === 'boolean' ? `--[no-]${name}` : fallback === '' ? `--${name}=…` : `--${name}="${fallback}"`
    return `  ${shown}\n        ${help}`
  })
  return `usage: ${program} [<flags>]\n\n${summary}\n\nFlags:\n  -h, --help\n        Show help.\n  --version\n        Show version.\n${lines.join('\n')}\n`
}
