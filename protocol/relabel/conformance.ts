/** Runs relabelling cases (`relabel/cases.json` of the conformance kit, or a file of the same format). */
import { type Labels, labelsFrom, labelsToObject } from '../labels/mod.ts'
import { compileRelabel, relabel } from './apply.ts'
import {
  isLegacyTargetLabel,
  type NameValidationScheme,
  type RelabelConfig,
  type RelabelInput,
  validateRelabel,
  withRelabelDefaults,
} from './config.ts'

type YamlConfig = {
  readonly source_labels?: readonly string[]
  readonly separator?: string
  readonly target_label?: string
  readonly regex?: string
  readonly modulus?: number
  readonly replacement?: string
  readonly action?: string
}
export type RelabelCases = {
  readonly cases?: readonly {
    readonly input: Record<string, string>
    readonly configs: readonly YamlConfig[]
    readonly output: Record<string, string> | null
  }[]
  readonly validate?: readonly {
    readonly config: YamlConfig
    readonly nameValidationScheme: NameValidationScheme
    readonly error: string | null
  }[]
  readonly legacyTargetLabels?: readonly { readonly targetLabel: string; readonly valid: boolean }[]
}
export type CaseResult = { readonly name: string; readonly error: string | null }

export function runRelabelCases(data: RelabelCases): CaseResult[] {
  const out: CaseResult[] = []
  data.cases?.forEach((c, i) => {
    const rules = c.configs.map((config) => compileRelabel(withRelabelDefaults(fromYaml(config))))
    const got = relabel(rules, labelsFrom(c.input))
    out.push({ name: `cases[${i}]`, error: difference(got, c.output) })
  })
  data.validate?.forEach((c, i) => {
    const blank: RelabelConfig = {
      sourceLabels: [],
      separator: '',
      targetLabel: '',
      regex: '',
      modulus: 0,
      replacement: '',
      action: '' as 'replace',
    }
    let got: string | null = null
    try {
      validateRelabel({ ...blank, ...(fromYaml(c.config) as Partial<RelabelConfig>) }, c.nameValidationScheme)
    } catch (error) {
      got = (error as Error).message
    }
    const same = c.error === null ? got === null : (got?.includes(c.error) ?? false)
    out.push({ name: `validate[${i}]`, error: same ? null : `got ${got}, want ${c.error}` })
  })
  data.legacyTargetLabels?.forEach((c) => {
    const got = isLegacyTargetLabel(c.targetLabel)
    out.push({
      name: `legacyTargetLabels ${c.targetLabel}`,
      error: got === c.valid ? null : `got ${got}, want ${c.valid}`,
    })
  })
  return out
}

function fromYaml(y: YamlConfig): RelabelInput {
  return {
    ...(y.source_labels && { sourceLabels: y.source_labels }),
    ...(y.separator !== undefined && { separator: y.separator }),
    ...(y.target_label !== undefined && { targetLabel: y.target_label }),
    ...(y.regex !== undefined && { regex: y.regex }),
    ...(y.modulus !== undefined && { modulus: y.modulus }),
    ...(y.replacement !== undefined && { replacement: y.replacement }),
    ...(y.action !== undefined && { action: y.action }),
  }
}

function difference(got: Labels | null, want: Record<string, string> | null): string | null {
  const sorted = (o: object): string => JSON.stringify(Object.entries(o).sort(([a], [b]) => (a < b ? -1 : 1)))
  const gotText = got === null ? 'null' : sorted(labelsToObject(got))
  const wantText = want === null ? 'null' : sorted(want)
  return gotText === wantText ? null : `got ${gotText}, want ${wantText}`
}
