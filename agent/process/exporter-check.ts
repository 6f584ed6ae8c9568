/** All that is wrong with the exporters of a configuration, where making them stops at the first. Opens nothing. */
import { FlagError } from '../../exporters/contract.ts'
import type { ExporterConfig } from '../../protocol/config/mod.ts'
import {
  creatorOf,
  type ExporterDeps,
  loadExporters,
  type PartPlan,
  plansOf,
  readWebOptions,
  takenAddresses,
} from './exporters.ts'

/** `path`: the keys of the configuration, down to the one that is wrong. */
export type ExporterProblem = { readonly path: readonly (string | number)[]; readonly problem: string }

export async function exporterProblems(
  exporters: readonly ExporterConfig[],
  deps: ExporterDeps,
): Promise<readonly ExporterProblem[]> {
  await loadExporters({ exporters })
  const enabled = exporters.filter((config) => config.enabled)
  const out: ExporterProblem[] = []
  const served: ExporterConfig[] = []
  for (const config of enabled) {
    const web = await thrownBy(async () => void readWebOptions(config))
    if (web === null) served.push(config)
    else out.push({ path: pathOf(config, web), problem: problemOf(web) })
    for (const plan of plansOf(config)) out.push(...(await planProblems(config, plan, deps)))
  }
  for (const { config, listen, holder } of takenAddresses(served)) {
    const key = config.listen === '' ? 'web.listen-address' : 'listen'
    out.push({ path: ['exporters', config.name, key], problem: `${listen} is that of exporters.${holder} already` })
  }
  return withoutRepeats(out)
}

/** It is made without the flags that it refused, until it takes the rest. */
async function planProblems(config: ExporterConfig, plan: PartPlan, deps: ExporterDeps): Promise<ExporterProblem[]> {
  const create = creatorOf(config.name)
  const out: ExporterProblem[] = []
  for (let { flags } = plan; ; ) {
    const error = await thrownBy(() => create(flags, deps).close())
    if (error === null) return out
    out.push({ path: pathOf(config, error, plan), problem: problemOf(error) })
    const names = error instanceof FlagError ? [error.flag, `no-${error.flag}`] : []
    const rest = Object.entries(flags).filter(([name]) => !names.includes(name))
    if (rest.length === Object.keys(flags).length) return out
    flags = Object.fromEntries(rest)
  }
}

function pathOf({ name, flags, listen }: ExporterConfig, error: Error, plan?: PartPlan): ExporterProblem['path'] {
  const path: (string | number)[] = ['exporters', name]
  const own = plan && plan.index !== null ? ['targets', plan.index] : []
  if (!(error instanceof FlagError)) return [...path, ...own]
  const { flag } = error
  const keyIn = (keys: Readonly<Record<string, unknown>>): string | undefined =>
    [flag, `no-${flag}`].find((key) => Object.hasOwn(keys, key))
  const ownKey = plan && keyIn(plan.own)
  if (ownKey !== undefined) return [...path, ...own, ownKey]
  const key = flag === 'web.listen-address' && listen !== '' ? 'listen' : keyIn(flags)
  // One that stands nowhere is missed, or is the address of a target.
  return key === undefined ? [...path, ...own] : [...path, key]
}

const problemOf = (error: Error): string => (error instanceof FlagError ? error.problem : error.message)

async function thrownBy(run: () => Promise<void>): Promise<Error | null> {
  try {
    await run()
    return null
  } catch (error) {
    return error as Error
  }
}

/** What all targets have in common is wrong once. */
function withoutRepeats(problems: readonly ExporterProblem[]): ExporterProblem[] {
  const byText = new Map(problems.map((each) => [JSON.stringify(each), each]))
  return [...byText.values()]
}
