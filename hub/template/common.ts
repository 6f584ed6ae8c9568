/** Functions that rule templates and notification templates both have, and what makes functions of one argument. */
import { lowerCase, upperCase } from '../../protocol/labels/mod.ts'
import type { Functions, TemplateFunction } from './functions.ts'
import { humanizeDuration, matches, replaceAllRegex, toFloat } from './text.ts'
import { SafeText, type Value } from './values.ts'

/** Of one value of any type, which the function checks itself. */
export function ofAny(call: TemplateFunction['call']): TemplateFunction {
  return { params: ['any'], call }
}

export function ofText(call: (value: string) => Value): TemplateFunction {
  return { params: ['string'], call: ([value]) => call(value as string) }
}

/** Semantics: Prometheus template/template.go (v3.14), Alertmanager template/template.go (v0.34). */
export const COMMON_FUNCTIONS: Functions = {
  toUpper: ofText(upperCase),
  toLower: ofText(lowerCase),
  safeHtml: ofText((value) => new SafeText('html', value)),
  reReplaceAll: {
    params: ['string', 'string', 'string'],
    call: ([pattern, replacement, value]) => replaceAllRegex(pattern as string, replacement as string, value as string),
  },
  match: {
    params: ['string', 'string'],
    call: ([pattern, value]) => matches(pattern as string, value as string),
  },
  humanizeDuration: ofAny(([value]) => humanizeDuration(toFloat(value!))),
}
