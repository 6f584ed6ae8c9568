/** What a relabelling rule says, its defaults, and upstream's complaints about a bad one. */
import { isLegacyLabelName, quote } from '../labels/mod.ts'
import { compileRegex } from '../matchers/mod.ts'

export type RelabelAction =
  | 'replace'
  | 'keep'
  | 'drop'
  | 'keepequal'
  | 'dropequal'
  | 'hashmod'
  | 'labelmap'
  | 'labeldrop'
  | 'labelkeep'
  | 'lowercase'
  | 'uppercase'

const ACTIONS: ReadonlySet<string> = new Set<RelabelAction>([
  'replace',
  'keep',
  'drop',
  'keepequal',
  'dropequal',
  'hashmod',
  'labelmap',
  'labeldrop',
  'labelkeep',
  'lowercase',
  'uppercase',
])

export type NameValidationScheme = 'utf8' | 'legacy'

export type RelabelConfig = {
  readonly sourceLabels: readonly string[]
  readonly separator: string
  readonly targetLabel: string
  readonly regex: string
  readonly modulus: number
  readonly replacement: string
  readonly action: RelabelAction
}

/** As written: what is absent takes the default. */
export type RelabelInput = { readonly [K in keyof RelabelConfig]?: K extends 'action' ? string : RelabelConfig[K] }

export const RELABEL_DEFAULTS: RelabelConfig = {
  sourceLabels: [],
  separator: ';',
  targetLabel: '',
  regex: '(.*)',
  modulus: 0,
  replacement: '$1',
  action: 'replace',
}

export class RelabelError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'RelabelError'
  }
}

/** Fills in the defaults and checks the rule. @throws RelabelError with upstream's text */
export function withRelabelDefaults(input: RelabelInput, scheme: NameValidationScheme = 'utf8'): RelabelConfig {
  const action = (input.action ?? 'replace').toLowerCase()
  if (action !== '' && !ACTIONS.has(action)) throw new RelabelError(`unknown relabel action ${quote(action)}`)
  const config = { ...RELABEL_DEFAULTS, ...input, action: action as RelabelAction }
  validateRelabel(config, scheme)
  if ((action === 'lowercase' || action === 'uppercase') && config.replacement === '') replacementNotAllowed(action)
  return config
}

/** @throws RelabelError */
export function validateRelabel(c: RelabelConfig, scheme: NameValidationScheme): void {
  const { action } = c
  // First, as upstream reads the expression with the file, before it looks at the rule.
  compileRegex(`^(?s:${c.regex})$`, c.regex)
  if ((action as string) === '') throw new RelabelError('relabel action cannot be empty')
  if (action === 'hashmod' && c.modulus === 0) {
    throw new RelabelError('relabel configuration for hashmod requires non-zero modulus')
  }
  const writesTarget = action === 'replace' || action === 'hashmod' || action === 'lowercase' || action === 'uppercase'
  const comparesTarget = action === 'keepequal' || action === 'dropequal'
  if ((writesTarget || comparesTarget) && c.targetLabel === '') {
    throw new RelabelError(`relabel configuration for ${action} action requires 'target_label' value`)
  }
  const invalidTarget = (): never => {
    throw new RelabelError(`${quote(c.targetLabel)} is invalid 'target_label' for ${action} action`)
  }
  if (action === 'replace' && !c.targetLabel.includes('$') && !isValidName(c.targetLabel, scheme)) invalidTarget()
  if (action === 'replace' && c.targetLabel.includes('$') && !isValidTemplate(c.targetLabel, scheme)) invalidTarget()
  if ((comparesTarget || writesTarget) && action !== 'replace' && !isValidName(c.targetLabel, scheme)) invalidTarget()
  if (
    (action === 'lowercase' || action === 'uppercase' || comparesTarget) &&
    c.replacement !== RELABEL_DEFAULTS.replacement &&
    (c.replacement !== '' || comparesTarget)
  ) {
    replacementNotAllowed(action)
  }
  if (action === 'labelmap' && !isValidTemplate(c.replacement, scheme)) {
    throw new RelabelError(`${quote(c.replacement)} is invalid 'replacement' for ${action} action`)
  }
  if (comparesTarget && !onlyDefaults(c, ['sourceLabels', 'targetLabel'])) {
    throw new RelabelError(`${action} action requires only 'source_labels' and \`target_label\`, and no other fields`)
  }
  if ((action === 'labeldrop' || action === 'labelkeep') && !onlyDefaults(c, ['regex'])) {
    throw new RelabelError(`${action} action requires only 'regex', and no other fields`)
  }
}

function replacementNotAllowed(action: RelabelAction): never {
  throw new RelabelError(`'replacement' can not be set for ${action} action`)
}

function onlyDefaults(c: RelabelConfig, except: readonly (keyof RelabelConfig)[]): boolean {
  const same = (key: keyof RelabelConfig): boolean => except.includes(key) || c[key] === RELABEL_DEFAULTS[key]
  const sources = except.includes('sourceLabels') || c.sourceLabels.length === 0
  return sources && same('separator') && same('targetLabel') && same('regex') && same('modulus') && same('replacement')
}

function isValidName(name: string, scheme: NameValidationScheme): boolean {
  return scheme === 'legacy' ? isLegacyLabelName(name) : name !== '' && name.isWellFormed()
}

function isValidTemplate(template: string, scheme: NameValidationScheme): boolean {
  return scheme === 'legacy' ? isLegacyTargetLabel(template) : template !== '' && template.isWellFormed()
}

/** A label name with `$1`, `${1}` or `${name}` in it, as allowed before UTF-8 names. */
export function isLegacyTargetLabel(template: string): boolean {
  return /^(?:(?:[a-zA-Z_]|\$(?:\{\w+\}|\w+))+\w*)+$/.test(template)
}
