/**
 * From a StatsD name to a metric's name and labels: globs first, then regular expressions in the order of the file.
 * Semantics: statsd_exporter pkg/mapper/mapper.go, GetMapping (v0.30).
 */
import { compileRegex } from '../../protocol/matchers/mod.ts'
import type { EventKind } from './event.ts'
import { GlobTree } from './glob.ts'
import { DEFAULTS, type Mapping, type MappingConfig } from './mapping-config.ts'
import { globTemplate, regexTemplate, type Template } from './template.ts'

export type MapResult = {
  readonly mapping: Mapping
  /** With its references filled in; may be empty or need escaping. */
  readonly name: string
  /** Flat pairs. */
  readonly labels: readonly string[]
}

type Compiled = {
  readonly mapping: Mapping
  readonly name: Template
  readonly labels: readonly (readonly [name: string, value: Template])[]
  /** null for a glob. @returns groups, the whole match first; null for no match */
  readonly groups: ((name: string) => readonly string[] | null) | null
}

const KINDS: readonly EventKind[] = ['counter', 'gauge', 'observer']

export class Mapper {
  readonly config: MappingConfig
  cacheGets = 0
  cacheHits = 0
  readonly #compiled: readonly Compiled[]
  readonly #regexes: readonly Compiled[]
  readonly #trees: Readonly<Record<EventKind, GlobTree>>
  readonly #cache: Map<string, MapResult | null> = new Map()
  readonly #cacheSize: number

  /**
   * @param cacheSize lookups that are kept, 0 for none
   * @throws MatcherError for a regular expression that does not compile
   */
  constructor(config: MappingConfig, options: { readonly cacheSize: number }) {
    this.config = config
    this.#cacheSize = options.cacheSize
    this.#compiled = config.mappings.map(compile)
    this.#regexes = this.#compiled.filter(({ groups }) => groups !== null)
    const ordered = !config.defaults.globDisableOrdering
    this.#trees = {
      counter: new GlobTree({ ordered }),
      gauge: new GlobTree({ ordered }),
      observer: new GlobTree({ ordered }),
    }
    config.mappings.forEach(({ match, matchType, kind }, index) => {
      if (matchType !== 'glob') return
      for (const one of KINDS) if (kind === null || kind === one) this.#trees[one].add(match, index)
    })
  }

  get cacheLength(): number {
    return this.#cache.size
  }

  /** A lookup that the caller has answered from what it remembers. */
  countHit(): void {
    if (this.#compiled.length === 0) return
    this.cacheGets++
    if (this.#cacheSize > 0) this.cacheHits++
  }

  /** null: no mapping is for it. */
  find(name: string, kind: EventKind): MapResult | null {
    if (this.#compiled.length === 0) return null
    this.cacheGets++
    const key = `${kind}.${name}`
    const cached = this.#cache.get(key)
    if (cached !== undefined) {
      this.cacheHits++
      // The one used last is the last to go.
      this.#cache.delete(key)
      this.#cache.set(key, cached)
      return cached
    }
    const result = this.#lookUp(name, kind)
    if (this.#cacheSize > 0) {
      if (this.#cache.size >= this.#cacheSize) this.#cache.delete(this.#cache.keys().next().value!)
      this.#cache.set(key, result)
    }
    return result
  }

  #lookUp(name: string, kind: EventKind): MapResult | null {
    const glob = this.#trees[kind].find(name)
    if (glob !== null) return fill(this.#compiled[glob.index]!, glob.captures)
    for (const compiled of this.#regexes) {
      const wanted = compiled.mapping.kind
      if (wanted !== null && wanted !== kind) continue
      const groups = compiled.groups!(name)
      if (groups !== null) return fill(compiled, groups)
    }
    return null
  }
}

export function emptyMappingConfig(): MappingConfig {
  return { defaults: DEFAULTS, mappings: [] }
}

function compile(mapping: Mapping): Compiled {
  const regex = mapping.matchType === 'regex' ? compileRegex(mapping.match) : null
  const names = regex === null ? {} : (regex.namedGroups() as Readonly<Record<string, number>>)
  const template = (text: string): Template => (regex === null ? globTemplate(text) : regexTemplate(text, names))
  return {
    mapping,
    name: template(mapping.name),
    labels: Object.entries(mapping.labels).map(([name, value]) => [name, template(value)] as const),
    groups:
      regex &&
      ((text) => {
        const matcher = regex.matcher(text)
        if (!matcher.find()) return null
        return Array.from({ length: regex.groupCount() + 1 }, (_, i) => matcher.group(i) ?? '')
      }),
  }
}

function fill({ mapping, name, labels }: Compiled, captures: readonly string[]): MapResult {
  return { mapping, name: name(captures), labels: labels.flatMap(([label, value]) => [label, value(captures)]) }
}
