/**
 * Who wants a subject: a trie of tokens with remembered answers. Semantics: nats-server server/sublist.go, where a
 * queue group is one group however many patterns its members used.
 */
import { hasWildcard } from './subjects.ts'

export type Match<S> = {
  /** Each of them gets the message. */
  readonly plain: readonly S[]
  /** One member of each group gets it. */
  readonly groups: readonly (readonly S[])[]
}

export interface Entry {
  /** Wire string, valid as a pattern. */
  readonly subject: string
  /** Empty: no group. */
  readonly queue: string
}

type Node<S> = { children: Map<string, Node<S>>; entries: S[] }

/** Inboxes make most subjects unique: answers are forgotten wholesale rather than let grow. */
const MAX_REMEMBERED = 4096

export class Sublist<S extends Entry> {
  readonly #root: Node<S> = { children: new Map(), entries: [] }
  readonly #remembered = new Map<string, Match<S>>()
  #count = 0

  get count(): number {
    return this.#count
  }

  insert(entry: S): void {
    let node = this.#root
    for (const token of entry.subject.split('.')) {
      let next = node.children.get(token)
      if (next === undefined) node.children.set(token, (next = { children: new Map(), entries: [] }))
      node = next
    }
    node.entries.push(entry)
    this.#count++
    this.#forget(entry.subject)
  }

  remove(entry: S): void {
    const tokens = entry.subject.split('.')
    const path = [this.#root]
    for (const token of tokens) {
      const next = path[path.length - 1]!.children.get(token)
      if (next === undefined) return
      path.push(next)
    }
    const { entries } = path[path.length - 1]!
    const index = entries.indexOf(entry)
    if (index < 0) return
    entries.splice(index, 1)
    this.#count--
    for (let depth = tokens.length; depth > 0; depth--) {
      const node = path[depth]!
      if (node.entries.length > 0 || node.children.size > 0) break
      path[depth - 1]!.children.delete(tokens[depth - 1]!)
    }
    this.#forget(entry.subject)
  }

  /** The answer is never changed afterwards: it may be walked while subscriptions come and go. */
  match(subject: string): Match<S> {
    const known = this.#remembered.get(subject)
    if (known !== undefined) return known
    const plain: S[] = []
    const groups = new Map<string, S[]>()
    collect(this.#root, subject.split('.'), 0, (entry) => {
      if (entry.queue === '') plain.push(entry)
      else {
        const group = groups.get(entry.queue)
        if (group === undefined) groups.set(entry.queue, [entry])
        else group.push(entry)
      }
    })
    const answer = { plain, groups: [...groups.values()] }
    if (this.#remembered.size >= MAX_REMEMBERED) this.#remembered.clear()
    this.#remembered.set(subject, answer)
    return answer
  }

  #forget(pattern: string): void {
    if (hasWildcard(pattern)) this.#remembered.clear()
    else this.#remembered.delete(pattern)
  }
}

/** Visits each node at most once, since a node has one path. Depth is bounded by MAX_SUBJECT_TOKENS. */
function collect<S>(node: Node<S>, tokens: readonly string[], depth: number, add: (entry: S) => void): void {
  if (depth === tokens.length) {
    for (const entry of node.entries) add(entry)
    return
  }
  const rest = node.children.get('>')
  if (rest !== undefined) for (const entry of rest.entries) add(entry)
  const star = node.children.get('*')
  if (star !== undefined) collect(star, tokens, depth + 1, add)
  const token = tokens[depth]!
  if (token === '*' || token === '>') return // wildcards in a published subject match wildcards only
  const literal = node.children.get(token)
  if (literal !== undefined) collect(literal, tokens, depth + 1, add)
}
