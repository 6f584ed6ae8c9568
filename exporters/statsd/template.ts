/** `$1`, `${1}` and, for regular expressions, `${name}` in names and label values of mappings. */

/** Writes what was captured; references to nothing are empty. */
export type Template = (captures: readonly string[]) => string

/**
 * Of a glob: the stars by their number from 1.
 * Semantics: statsd_exporter pkg/mapper/fsm/formatter.go.
 * @example globTemplate('${1}_b')(['a']) // 'a_b'
 */
export function globTemplate(text: string): Template {
  if (!text.includes('$')) return () => text
  const parts = text.split(/\$\{?([a-zA-Z0-9_$]+)\}?/)
  return (captures) =>
    parts.map((part, i) => (i % 2 === 0 ? part : /^\d+$/.test(part) ? (captures[Number(part) - 1] ?? '') : '')).join('')
}

/**
 * Of a regular expression: groups by number (0 is the whole match) or name, `$$` is a dollar; `$1_a` is the group named
 * `1_a`. Semantics: Go regexp.Expand.
 */
export function regexTemplate(text: string, groupNames: Readonly<Record<string, number>>): Template {
  if (!text.includes('$')) return () => text
  const parts = text.split(/\$(\$|\w+|\{\w+\})/)
  return (groups) =>
    parts
      .map((part, i) => {
        if (i % 2 === 0 || part === '$') return part
        const reference = part.replace(/^\{|\}$/g, '')
        const group = /^\d+$/.test(reference) ? Number(reference) : groupNames[reference]
        return group === undefined ? '' : (groups[group] ?? '')
      })
      .join('')
}
