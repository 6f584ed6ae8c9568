/** Upper and lower case as Go gives them: letter by letter, so that `ß` stays and the place in a word does not matter. */
const ASCII = /^[\x00-\x7f]*$/

/** Semantics: Go strings.ToUpper. */
export function upperCase(text: string): string {
  if (ASCII.test(text)) return text.toUpperCase()
  return text.replace(/[^\x00-\x7f]|[a-z]+/gu, (letters) => {
    const upper = letters.toUpperCase()
    return upper.length === letters.length ? upper : letters
  })
}

/** Semantics: Go strings.ToLower. */
export function lowerCase(text: string): string {
  if (ASCII.test(text)) return text.toLowerCase()
  return text.replace(/[^\x00-\x7f]|[A-Z]+/gu, (letters) => (letters === 'İ' ? 'i' : letters.toLowerCase()))
}
