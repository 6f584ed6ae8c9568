/**
 * `name=value&…` of URLs and form bodies, read as upstream's are: a pair with a semicolon, or with a percent sign that
 * encodes nothing, is passed over, where a browser would take it as it stands.
 * Semantics: Go net/url, ParseQuery.
 */

export type Form = {
  readonly values: URLSearchParams
  /** Why a pair was passed over, for those who ask; '' = none was. */
  readonly problem: string
}

const STRANGE = /;|%(?![0-9a-fA-F]{2})/

/** @param text without the question mark */
export function readForm(text: string): Form {
  if (!STRANGE.test(text)) return { values: new URLSearchParams(text), problem: '' }
  let problem = ''
  const pairs = text.split('&').filter((pair) => {
    const found = problemOf(pair)
    // Of several, the first; but a semicolon is told in any case.
    if (found !== '' && (problem === '' || found === SEMICOLON)) problem = found
    return found === ''
  })
  return { values: new URLSearchParams(pairs.join('&')), problem }
}

const SEMICOLON = 'invalid semicolon separator in query'

function problemOf(pair: string): string {
  if (pair.includes(';')) return SEMICOLON
  // The name is read before the value.
  const [found] = /%(?![0-9a-fA-F]{2})[^=]{0,2}/.exec(pair) ?? []
  return found === undefined ? '' : `invalid URL escape ${JSON.stringify(found)}`
}
