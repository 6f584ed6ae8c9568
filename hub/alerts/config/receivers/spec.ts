/** What a kind of receiver is to the configuration, and helpers that the kinds share. */
import { type Decoder, type HttpClientConfig, string } from '../../../../protocol/config/mod.ts'
import { has } from '../fields.ts'
import type { GlobalConfig } from '../global.ts'

export type Values = Readonly<Record<string, unknown>>

export type Spec = {
  readonly fields: Readonly<Record<string, Decoder<unknown>>>
  /** Of keys that are not written; one that is written empty stays empty. */
  readonly defaults?: Values
  readonly sendsResolved: boolean
  /** The first problem, or null. `http` is the receiver's own. */
  readonly check?: (values: Values, http: HttpClientConfig | null) => string | null
  /** After the globals are known: what is missing, or the values with them. */
  readonly complete?: (values: Values, global: GlobalConfig, http: Http) => Values | string
  /** An item of the list without a value stands for one that takes all from `global`. */
  readonly emptyIsDefault?: boolean
}

export type Http = { readonly own: HttpClientConfig | null; readonly used: HttpClientConfig | null }

export const oneOfTwo = (values: Values, name: string, file = `${name}_file`): string | null =>
  has(values[name]) && has(values[file]) ? `at most one of ${name} & ${file} must be configured` : null

export const needsOne = (values: Values, name: string, file = `${name}_file`): string | null =>
  has(values[name]) || has(values[file]) ? oneOfTwo(values, name, file) : `one of ${name} or ${file} must be configured`

/** The values, where none of the pairs' own keys is set with those of `global`. */
export function inherit(
  values: Values,
  global: GlobalConfig,
  pairs: readonly (readonly [own: string, from: string])[],
): Values {
  if (pairs.some(([own]) => has(values[own]))) return values
  return { ...values, ...Object.fromEntries(pairs.map(([own, from]) => [own, global.values[from]])) }
}

/** A secret that is given inline or by its file, from `global` where the receiver has neither. */
export const inheritSecret = (values: Values, global: GlobalConfig, own: string, from: string): Values =>
  inherit(values, global, [
    [own, from],
    [`${own}_file`, `${from}_file`],
  ])

export const strings = (...names: readonly string[]): Record<string, Decoder<unknown>> =>
  Object.fromEntries(names.map((name) => [name, string]))

/** `{{ template "KIND.default.NAME" . }}` for each name; with `=`, what the template is called. */
export const defaultTemplates = (kind: string, ...names: readonly string[]): Record<string, string> =>
  Object.fromEntries(
    names.map((each) => {
      const [name, template = name] = each.split('=') as [string, string?]
      return [name, `{{ template "${kind}.default.${template}" . }}`]
    }),
  )
