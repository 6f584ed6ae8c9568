/** Rule files. Semantics: Prometheus model/rulefmt/rulefmt.go (v3.14). */
import { decodeYaml, duration, integer, listOfFilled, object, record, string } from '../../protocol/config/mod.ts'
import { isLegacyLabelName, isLegacyMetricName, METRIC_NAME } from '../../protocol/labels/mod.ts'
import type { NameValidationScheme } from '../../protocol/relabel/mod.ts'
import type { ParserFeatures } from '../promql/ast.ts'
import { DEFAULT_FEATURES, parseExpr } from '../promql/parser/mod.ts'
import { printExpr } from '../promql/printer/mod.ts'
import { checkTemplate } from './template.ts'

export type Rule = {
  readonly kind: 'record' | 'alert'
  /** Metric name of a recording rule, name of an alert. */
  readonly name: string
  /** As upstream prints it: that is what it evaluates, shows and links to. */
  readonly expr: string
  readonly forMs: number
  readonly keepFiringForMs: number
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

export type RuleGroup = {
  readonly file: string
  readonly name: string
  /** 0 = the global evaluation interval. */
  readonly intervalMs: number
  /** null = the global one. */
  readonly queryOffsetMs: number | null
  /** Most series or alerts that one rule may give; 0 = no limit. */
  readonly limit: number
  readonly rules: readonly Rule[]
}

const labels = record(string)

const rule = object(
  'rulefmt.Rule',
  {
    record: string,
    alert: string,
    expr: string,
    for: duration,
    keep_firing_for: duration,
    labels,
    annotations: labels,
  },
  (raw, at) => ({ raw, at }),
)

const group = object(
  'rulefmt.RuleGroup',
  {
    name: string,
    interval: duration,
    query_offset: duration,
    limit: integer,
    rules: listOfFilled(rule),
    labels,
  },
  (raw, at) => ({ raw, at }),
)

const root = object('rulefmt.RuleGroups', { groups: listOfFilled(group) }, (raw) => raw.groups ?? [])

export type RuleFileOptions = {
  readonly ignoreUnknownFields?: boolean
  /** Which names metrics, labels and annotations may have. */
  readonly nameValidation?: NameValidationScheme
  /** What expressions may be made of; by default what needs no feature flag. */
  readonly features?: ParserFeatures
}

/** @throws ConfigError with the place in the file and upstream's text */
export function loadRuleFile(text: string, file: string, options: RuleFileOptions = {}): RuleGroup[] {
  const { ignoreUnknownFields = false, nameValidation = 'utf8', features = DEFAULT_FEATURES } = options
  const seen = new Set<string>()
  return decodeYaml(text, file, root, { ignoreUnknown: ignoreUnknownFields }).value.map(({ raw, at }) => {
    const name = raw.name ?? ''
    if (name === '') at.fail('Groupname must not be empty')
    if (seen.has(name)) at.fail(`groupname: ${JSON.stringify(name)} is repeated in the same file`)
    seen.add(name)
    checkLabels(raw.labels ?? {}, nameValidation, (problem) => at.fail(problem))
    return {
      file,
      name,
      intervalMs: raw.interval ?? 0,
      queryOffsetMs: raw.query_offset ?? null,
      limit: raw.limit ?? 0,
      rules: (raw.rules ?? []).map((item, i) =>
        finishRule(item, raw.labels ?? {}, `group ${JSON.stringify(name)}, rule ${i + 1}`, {
          nameValidation,
          features,
        }),
      ),
    }
  })
}

type RawRule = ReturnType<typeof rule>

function finishRule(
  { raw, at }: RawRule,
  groupLabels: Readonly<Record<string, string>>,
  where: string,
  { nameValidation: scheme, features }: Required<Pick<RuleFileOptions, 'nameValidation' | 'features'>>,
): Rule {
  const fail = (problem: string): never =>
    at.fail(`${where}, ${JSON.stringify(raw.record || raw.alert || '')}: ${problem}`)
  if (raw.record && raw.alert) fail("only one of 'record' and 'alert' must be set")
  if (!raw.record && !raw.alert) fail("one of 'record' or 'alert' must be set")
  if (!raw.expr) fail("field 'expr' must be set in rule")
  let expr = ''
  try {
    expr = printExpr(parseExpr(raw.expr!, features))
  } catch (error) {
    fail(`could not parse expression: ${(error as Error).message}`)
  }
  const annotations = raw.annotations ?? {}
  if (raw.record) {
    if (Object.keys(annotations).length > 0) fail("invalid field 'annotations' in recording rule")
    if (raw.for) fail("invalid field 'for' in recording rule")
    if (raw.keep_firing_for) fail("invalid field 'keep_firing_for' in recording rule")
    if (!isMetricName(raw.record, scheme)) fail(`invalid recording rule name: ${raw.record}`)
    if (/[{}]/.test(raw.record)) fail(`braces present in the recording rule name; should it be in expr?: ${raw.record}`)
  }
  const own = raw.labels ?? {}
  checkLabels(own, scheme, fail)
  for (const name of Object.keys(annotations)) if (!isLabelName(name, scheme)) fail(`invalid annotation name: ${name}`)
  if (raw.alert) {
    for (const [kind, texts] of [
      ['label', own],
      ['annotation', annotations],
    ] as const) {
      for (const [name, text] of Object.entries(texts)) {
        const problem = checkTemplate(text, raw.alert)
        if (problem !== null) fail(`${kind} ${JSON.stringify(name)}: ${problem}`)
      }
    }
  }
  return {
    kind: raw.record ? 'record' : 'alert',
    name: (raw.record || raw.alert)!,
    expr,
    forMs: raw.for ?? 0,
    keepFiringForMs: raw.keep_firing_for ?? 0,
    labels: { ...groupLabels, ...own },
    annotations,
  }
}

function checkLabels(
  names: Readonly<Record<string, string>>,
  scheme: NameValidationScheme,
  fail: (problem: string) => never,
): void {
  for (const [name, value] of Object.entries(names)) {
    if (!isLabelName(name, scheme) || name === METRIC_NAME) fail(`invalid label name: ${name}`)
    if (!value.isWellFormed()) fail(`invalid label value: ${value}`)
  }
}

function isLabelName(name: string, scheme: NameValidationScheme): boolean {
  return scheme === 'legacy' ? isLegacyLabelName(name) : name !== '' && name.isWellFormed()
}

function isMetricName(name: string, scheme: NameValidationScheme): boolean {
  return scheme === 'legacy' ? isLegacyMetricName(name) : name.isWellFormed()
}
