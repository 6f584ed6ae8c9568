/** The `rules` suite of the conformance kit: rule files, unit tests of rules, templates, over the production code. */
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { expand, loadRuleFile, type RuleGroup, type VectorSample } from '../rules/mod.ts'
import { goValue } from '../template/go-value.ts'
import { loadUnitTests } from './file.ts'
import { runUnitTests } from './run.ts'

export type RuleCaseResult = { readonly name: string; readonly error: string | null }
type Scheme = 'utf8' | 'legacy'
type FileCase = { readonly file: string; readonly errorContains?: string; readonly nameValidationScheme?: Scheme }
type UnitCase = {
  readonly name: string
  readonly file: string
  readonly pass: boolean
  readonly run?: readonly string[]
  readonly ignoreUnknownFields?: boolean
}
export type RuleCases = {
  readonly fileErrors?: readonly FileCase[]
  readonly fileOk?: readonly FileCase[]
  readonly unitTests?: readonly UnitCase[]
  readonly ruleTemplates?: readonly { readonly rules: string; readonly ok: boolean }[]
}

/** @param readText of a file of the suite, such as `promtool/rules.yml` */
export async function runRuleCases(cases: RuleCases, readText: (name: string) => string): Promise<RuleCaseResult[]> {
  const out: RuleCaseResult[] = []
  for (const { file, errorContains, nameValidationScheme } of cases.fileErrors ?? []) {
    const got = loadError(() => loadFile(readText, `rulefmt/${file}`, nameValidationScheme))
    out.push({ name: file, error: got?.includes(errorContains!) ? null : `got ${got}, want ${errorContains}` })
  }
  for (const { file, nameValidationScheme } of cases.fileOk ?? [])
    out.push({ name: file, error: loadError(() => loadFile(readText, `rulefmt/${file}`, nameValidationScheme)) })
  cases.ruleTemplates?.forEach(({ rules, ok }, i) => {
    const got = loadError(() => loadRuleFile(rules, 'rules.yml'))
    const isRight = (got === null) === ok
    out.push({ name: `ruleTemplates[${i}]`, error: isRight ? null : `got ${got}, want ${ok ? 'none' : 'an error'}` })
  })
  for (const each of cases.unitTests ?? []) out.push(await unitCase(each, readText))
  return out
}

function loadFile(readText: (name: string) => string, name: string, nameValidation: Scheme = 'utf8'): RuleGroup[] {
  return loadRuleFile(readText(name), name, { nameValidation })
}

function loadError(load: () => unknown): string | null {
  try {
    load()
    return null
  } catch (error) {
    return (error as Error).message
  }
}

async function unitCase(
  { name, file, pass, run = [], ignoreUnknownFields = false }: UnitCase,
  readText: (name: string) => string,
): Promise<RuleCaseResult> {
  let failures: readonly string[]
  try {
    const loaded = loadUnitTests(readText(`promtool/${file}`), file, ignoreUnknownFields)
    const groups = loaded.ruleFiles.flatMap((each) => {
      const text = readIfThere(readText, `promtool/${each}`)
      return text === null ? [] : loadRuleFile(text, each, { ignoreUnknownFields })
    })
    failures = await runUnitTests({ file: loaded, groups, run: run.map((text) => new RegExp(text)) })
  } catch (error) {
    failures = [(error as Error).message]
  }
  const isRight = (failures.length === 0) === pass
  return { name: `unit test ${name}`, error: isRight ? null : pass ? failures.join('\n') : 'passed, should fail' }
}

/** Upstream warns of a pattern that no file matches, and goes on. */
function readIfThere(readText: (name: string) => string, name: string): string | null {
  try {
    return readText(name)
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return null
    throw error
  }
}

type TemplateCase = {
  readonly template: string
  readonly html: boolean
  readonly output?: string
  readonly error?: string
  readonly options?: readonly string[]
  readonly data?: unknown
  readonly dataType?: string
  readonly queryResult?: readonly { readonly metric: Record<string, string>; readonly value: number }[]
}

const NOW_MS = 1_353_755_652_000

export async function runTemplateCases(cases: readonly TemplateCase[]): Promise<RuleCaseResult[]> {
  const out: RuleCaseResult[] = []
  for (const each of cases) {
    const result: VectorSample[] = (each.queryResult ?? []).map(({ metric, value }) => ({
      labels: labelsFrom(metric),
      value,
    }))
    let got: string
    try {
      got = await expand(each.template, goValue(each.data, each.dataType ?? ''), {
        name: 'test',
        nowMs: NOW_MS,
        externalUrl: 'http://testhost:9090/path/prefix',
        html: each.html,
        missingKey: each.options?.includes('missingkey=error') ? 'error' : 'zero',
        query: async () => result,
      })
      if (each.error !== undefined) got = `no error but ${got}`
    } catch (error) {
      got = (error as Error).message
      if (each.error === undefined) got = `error ${got}`
    }
    const want = each.error ?? each.output ?? ''
    out.push({ name: `template ${each.template}`, error: got === want ? null : `got ${got}, want ${want}` })
  }
  return out
}
