/** `relabel_configs` sections. */
import { compileRegex } from '../matchers/mod.ts'
import { type NameValidationScheme, RELABEL_DEFAULTS, type RelabelConfig, validateRelabel } from '../relabel/mod.ts'
import { type Cursor, type Decoder, list, natural, object, parsed, string } from './decode.ts'
import { labelName } from './discovery.ts'

type Written = { readonly config: RelabelConfig; readonly at: Cursor }

const ACTIONS = [
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
]

const action: Decoder<RelabelConfig['action']> = (at) => {
  const written = string(at)
  const text = written.toLowerCase()
  if (text === '') at.fail('relabel action cannot be empty')
  return ACTIONS.includes(text)
    ? (text as RelabelConfig['action'])
    : at.fail(`unknown relabel action ${JSON.stringify(written)}`)
}

/** One that is written without a value matches the empty string only, as upstream's null does. */
const regexText = parsed((text) => {
  compileRegex(`^(?s:${text})$`, text)
  return text
})
const regex: Decoder<string> = (at) => regexText(at)

const sourceLabel: Decoder<string> = (at) => {
  if (at.isNull) return ''
  const name = string(at)
  labelName(name, at)
  return name
}

const rule: Decoder<Written> = object(
  'relabel.plain',
  {
    source_labels: list(sourceLabel),
    separator: string,
    target_label: string,
    regex,
    modulus: natural,
    replacement: string,
    action,
  },
  (raw, at) => ({
    at,
    config: {
      sourceLabels: raw.source_labels ?? RELABEL_DEFAULTS.sourceLabels,
      separator: raw.separator ?? RELABEL_DEFAULTS.separator,
      targetLabel: raw.target_label ?? RELABEL_DEFAULTS.targetLabel,
      regex: raw.regex ?? RELABEL_DEFAULTS.regex,
      modulus: raw.modulus ?? RELABEL_DEFAULTS.modulus,
      replacement: raw.replacement ?? RELABEL_DEFAULTS.replacement,
      action: raw.action ?? RELABEL_DEFAULTS.action,
    },
  }),
)

export const relabelRules = (onNull: string): Decoder<readonly Written[]> => list(rule, onNull)

/** Checked only now, because the scheme may come from another section of the file. */
export function finishRelabel(
  rules: readonly Written[] | undefined,
  scheme: NameValidationScheme,
): readonly RelabelConfig[] {
  return (rules ?? []).map(({ config, at }) => {
    try {
      validateRelabel(config, scheme)
    } catch (error) {
      at.fail((error as Error).message, error)
    }
    return config
  })
}
