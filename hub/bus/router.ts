/** From one publisher to all who want the message: plain subscribers, one member of each queue group. */
import { Sublist } from './sublist.ts'
import type { BusStats, Peer, WireMessage, WireSubscription } from './types.ts'

export class Router {
  readonly #sublist = new Sublist<WireSubscription>()
  readonly #stats: BusStats
  #seed: number

  /** @param seed of the choice among queue members; not a secret */
  constructor(stats: BusStats, seed: number) {
    this.#stats = stats
    this.#seed = seed | 1
  }

  add(subscription: WireSubscription): void {
    this.#sublist.insert(subscription)
    this.#stats.subscriptions = this.#sublist.count
  }

  remove(subscription: WireSubscription): void {
    if (subscription.closed) return
    subscription.closed = true
    this.#sublist.remove(subscription)
    this.#stats.subscriptions = this.#sublist.count
  }

  /** Returns how many took it, and how many of those live in this process. */
  route(from: Peer | null, message: WireMessage): { delivered: number; local: number } {
    const { plain, groups } = this.#sublist.match(message.subject)
    let delivered = 0
    let local = 0
    for (const subscription of plain) {
      if (!this.#hand(from, subscription, message)) continue
      delivered++
      if (subscription.peer.isLocal) local++
    }
    for (const group of groups) {
      const start = this.#next() % group.length
      for (let i = 0; i < group.length; i++) {
        const member = group[(start + i) % group.length]!
        if (!this.#hand(from, member, message)) continue
        delivered++
        if (member.peer.isLocal) local++
        break
      }
    }
    return { delivered, local }
  }

  /** To the subscriptions of one peer only. */
  routeTo(peer: Peer, message: WireMessage): void {
    const { plain, groups } = this.#sublist.match(message.subject)
    const own = (subscription: WireSubscription): boolean => subscription.peer === peer
    const target = plain.find(own) ?? groups.flat().find(own)
    if (target !== undefined) this.#hand(null, target, message)
  }

  #hand(from: Peer | null, subscription: WireSubscription, message: WireMessage): boolean {
    const { peer } = subscription
    if (subscription.closed || (peer === from && !peer.echo)) return false
    subscription.delivered++
    if (subscription.max > 0 && subscription.delivered >= subscription.max) this.remove(subscription)
    this.#stats.outMessages++
    this.#stats.outBytes += message.data.length
    peer.deliver(subscription, message)
    return true
  }

  /** Xorshift: choosing a queue member needs speed, not secrecy. */
  #next(): number {
    let x = this.#seed
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.#seed = x
    return x >>> 0
  }
}
