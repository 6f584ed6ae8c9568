/** `inhibit_rules`. Semantics: Alertmanager config/common/inhibitrule.go (v0.34). */
import { type Cursor, type Decoder, list, object, string } from '../../../protocol/config/mod.ts'
import { isLegacyLabelName } from '../../../protocol/labels/mod.ts'
import type { NameValidationScheme } from '../../../protocol/relabel/mod.ts'
import type { InhibitRule, InhibitSource } from '../inhibit.ts'
import { matchesAll } from '../matchers/mod.ts'
import { equalities, expressions, matcherList } from './route.ts'

export type PendingInhibitRule = { readonly rule: InhibitRule; readonly at: Cursor; readonly hasSources: boolean }

const source = object(
  'common.InhibitRuleSource',
  { matchers: matcherList, equal: list(string) },
  (raw): InhibitSource => ({ matchers: raw.matchers ?? [], equal: raw.equal ?? [] }),
)

const pending = object(
  'common.plain',
  {
    name: string,
    source_match: equalities,
    source_match_re: expressions,
    source_matchers: matcherList,
    sources: list(source),
    target_match: equalities,
    target_match_re: expressions,
    target_matchers: matcherList,
    equal: list(string),
  },
  (raw, at): PendingInhibitRule => {
    const single = [...(raw.source_match ?? []), ...(raw.source_match_re ?? []), ...(raw.source_matchers ?? [])]
    const equal = raw.equal ?? []
    const several = raw.sources ?? []
    if (several.length > 0 && (single.length > 0 || equal.length > 0))
      at.fail('sources cannot be combined with source_match, source_match_re, source_matchers, or equal')
    several.forEach(({ matchers }, i) => {
      if (matchers.length === 0) at.fail(`source ${i}: matchers must not be empty`)
      if (matchesAll(matchers, () => '')) at.fail(`source ${i}: at least one matcher must not match the empty string`)
    })
    const sources = several.length > 0 ? several : [{ matchers: single, equal }]
    const target = [...(raw.target_match ?? []), ...(raw.target_match_re ?? []), ...(raw.target_matchers ?? [])]
    return { rule: { name: raw.name ?? '', sources, target }, at, hasSources: several.length > 0 }
  },
)

/** @param scheme which names `equal` may have. */
export const inhibitRule = (scheme: NameValidationScheme): Decoder<InhibitRule> => {
  const isValid = (name: string): boolean =>
    scheme === 'legacy' ? isLegacyLabelName(name) : name !== '' && name.isWellFormed()
  return (at) => {
    const { rule, hasSources } = pending(at)
    const wrong = rule.sources.flatMap(({ equal }) => equal).find((name) => !isValid(name))
    if (wrong !== undefined)
      at.fail(`invalid label name ${JSON.stringify(wrong)} in ${hasSources ? 'source ' : ''}equal list`)
    return rule
  }
}
