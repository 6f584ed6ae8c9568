/** Rules compiled once and applied to label sets. */
import { EMPTY_LABELS, isLegacyLabelName, type Labels, labelsFrom, lowerCase, upperCase } from '../labels/mod.ts'
import { compileAnchored, compileRegex, type Predicate } from '../matchers/mod.ts'
import type { NameValidationScheme, RelabelConfig } from './config.ts'
import { md5 } from './md5.ts'

type Regex = ReturnType<typeof compileRegex>
type RegexMatch = ReturnType<Regex['matcher']>

export type CompiledRelabel = {
  readonly config: RelabelConfig
  readonly matches: Predicate
  readonly regex: Regex
  readonly scheme: NameValidationScheme
}

/** Labels after each rule; null from the rule on that dropped the set. For the relabel steps of the targets page. */
export type RelabelTrace = readonly (Labels | null)[]

export function compileRelabel(config: RelabelConfig, scheme: NameValidationScheme = 'utf8'): CompiledRelabel {
  const matches = compileAnchored(config.regex)
  return { config, matches, regex: compileRegex(`^(?s:${config.regex})$`, config.regex), scheme }
}

/**
 * The labels after all rules, or null when one drops them.
 * @example relabel([compileRelabel(rule)], labels)
 */
export function relabel(rules: readonly CompiledRelabel[], labels: Labels): Labels | null {
  if (rules.length === 0) return labels
  const builder = new Map<string, string>()
  for (let i = 0; i < labels.length; i += 2) builder.set(labels[i]!, labels[i + 1]!)
  let changed = false
  for (const rule of rules) {
    const outcome = applyRule(rule, builder)
    if (outcome === 'drop') return null
    if (outcome === 'changed') changed = true
  }
  if (!changed) return labels
  return builder.size === 0 ? EMPTY_LABELS : labelsFrom(builder)
}

type Outcome = 'drop' | 'changed' | 'same'

function applyRule(rule: CompiledRelabel, labels: Map<string, string>): Outcome {
  const { config: c } = rule
  const value = joinSources(c, labels)
  switch (c.action) {
    case 'drop':
      return rule.matches(value) ? 'drop' : 'same'
    case 'keep':
      return rule.matches(value) ? 'same' : 'drop'
    case 'dropequal':
      return (labels.get(c.targetLabel) ?? '') === value ? 'drop' : 'same'
    case 'keepequal':
      return (labels.get(c.targetLabel) ?? '') === value ? 'same' : 'drop'
    case 'replace':
      return replace(rule, labels, value)
    case 'lowercase':
      return setLabel(labels, c.targetLabel, lowerCase(value))
    case 'uppercase':
      return setLabel(labels, c.targetLabel, upperCase(value))
    case 'hashmod':
      return setLabel(labels, c.targetLabel, hashModulo(value, c.modulus))
    case 'labelmap':
      return mapNames(rule, labels)
    case 'labeldrop':
      return removeNames(labels, (name) => rule.matches(name))
    case 'labelkeep':
      return removeNames(labels, (name) => !rule.matches(name))
  }
}

function joinSources(c: RelabelConfig, labels: Map<string, string>): string {
  if (c.sourceLabels.length === 1) return labels.get(c.sourceLabels[0]!) ?? ''
  return c.sourceLabels.map((name) => labels.get(name) ?? '').join(c.separator)
}

function replace(rule: CompiledRelabel, labels: Map<string, string>, value: string): Outcome {
  const { config: c, regex } = rule
  // The common rule that copies one label, or sets a constant, needs no regular expression.
  if (c.regex === '(.*)' && !c.targetLabel.includes('$')) {
    if (c.replacement === '$1') return setLabel(labels, c.targetLabel, value)
    if (!c.replacement.includes('$')) return setLabel(labels, c.targetLabel, c.replacement)
  }
  const match = regex.matcher(value)
  if (!match.find()) return 'same'
  const target = expandGroups(c.targetLabel, match, regex)
  const valid = rule.scheme === 'legacy' ? isLegacyLabelName(target) : target !== '' && target.isWellFormed()
  if (!valid) return 'same'
  return setLabel(labels, target, expandGroups(c.replacement, match, regex))
}

function mapNames(rule: CompiledRelabel, labels: Map<string, string>): Outcome {
  let outcome: Outcome = 'same'
  for (const [name, value] of [...labels]) {
    const match = rule.regex.matcher(name)
    if (!match.find()) continue
    if (setLabel(labels, expandGroups(rule.config.replacement, match, rule.regex), value) === 'changed')
      outcome = 'changed'
  }
  return outcome
}

function removeNames(labels: Map<string, string>, unwanted: Predicate): Outcome {
  let outcome: Outcome = 'same'
  for (const name of [...labels.keys()]) {
    if (!unwanted(name)) continue
    labels.delete(name)
    outcome = 'changed'
  }
  return outcome
}

/** An empty value removes the label. */
function setLabel(labels: Map<string, string>, name: string, value: string): Outcome {
  if ((labels.get(name) ?? '') === value) return 'same'
  if (value === '') labels.delete(name)
  else labels.set(name, value)
  return 'changed'
}

/** The last eight bytes of the MD5 sum as a big-endian integer, modulo; as upstream since hashmod exists. */
function hashModulo(value: string, modulus: number): string {
  const digest = md5(new TextEncoder().encode(value))
  const sum = new DataView(digest.buffer, digest.byteOffset).getBigUint64(8)
  return String(sum % BigInt(modulus))
}

/**
 * Replaces groups in a template. Semantics: Go regexp.Expand: `$name` takes the longest run of letters, digits (of any
 * script) and underscores, `$$` is `$`, unknown groups are empty; a number with a leading zero is a name.
 */
export function expandGroups(template: string, match: RegexMatch, regex: Regex): string {
  if (!template.includes('$')) return template
  const names = regex.namedGroups() as Readonly<Record<string, number>>
  const groups = match.groupCount()
  return template.replace(
    /\$(?:\$|\{([\p{L}\p{Nd}_]+)\}|([\p{L}\p{Nd}_]+))/gu,
    (whole, braced?: string, bare?: string) => {
      if (whole === '$$') return '$'
      const name = (braced ?? bare)!
      const index = /^(?:0|[1-9]\d*)$/.test(name) ? Number(name) : names[name]
      if (index === undefined || index > groups) return ''
      return match.group(index) ?? ''
    },
  )
}

/** The labels after every single rule, for showing which one dropped a target. */
export function traceRelabel(rules: readonly CompiledRelabel[], labels: Labels): RelabelTrace {
  const steps: (Labels | null)[] = []
  let current: Labels | null = labels
  for (const rule of rules) {
    current = current && relabel([rule], current)
    steps.push(current)
  }
  return steps
}
