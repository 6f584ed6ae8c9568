/** Sessions of HTTP/2 with servers that want it: which these are, and a free session of each. */
import { type ClientHttp2Session, connect } from 'node:http2'
import type { TLSSocket } from 'node:tls'
import { IDLE_CONNECTION_MS, type Route, type RouteKeys } from './net-http-connection.ts'

const MAX_HEADER_BYTES = 64 * 1024
const MAX_HEADER_PAIRS = 512
/** Servers known to want HTTP/2; past that they are found out anew. */
const MAX_KNOWN = 10_000

export class Http2Sessions {
  readonly #wanted = new Set<string>()
  readonly #sessions = new Map<string, ClientHttp2Session>()
  /** Exchanges under way. */
  readonly #users = new Map<ClientHttp2Session, number>()
  readonly #keys: RouteKeys

  constructor(keys: RouteKeys) {
    this.#keys = keys
  }

  isWanted(route: Route): boolean {
    return this.#wanted.size > 0 && this.#wanted.has(this.#keys.of(route))
  }

  /** The server has refused HTTP/1.1, or HTTP/2 after all. */
  want(route: Route, isWanted: boolean): void {
    if (this.#wanted.size >= MAX_KNOWN) this.#wanted.clear()
    const key = this.#keys.of(route)
    if (isWanted) this.#wanted.add(key)
    else this.#wanted.delete(key)
  }

  free(route: Route): ClientHttp2Session | null {
    const session = this.#sessions.get(this.#keys.of(route))
    return session === undefined || session.closed || session.destroyed ? null : session
  }

  add(route: Route, socket: TLSSocket): ClientHttp2Session {
    const key = this.#keys.of(route)
    const session = connect(route.url.origin, {
      createConnection: () => socket,
      maxHeaderListPairs: MAX_HEADER_PAIRS,
      settings: { enablePush: false, maxHeaderListSize: MAX_HEADER_BYTES },
    })
    const forget = (): void => {
      if (this.#sessions.get(key) === session) this.#sessions.delete(key)
    }
    // Its streams tell what went wrong.
    session.on('error', forget)
    session.on('goaway', forget)
    session.on('close', forget)
    session.setTimeout(IDLE_CONNECTION_MS, () => session.close())
    this.#sessions.set(key, session)
    return session
  }

  enter(session: ClientHttp2Session): void {
    this.#users.set(session, (this.#users.get(session) ?? 0) + 1)
    session.ref()
  }

  leave(session: ClientHttp2Session): void {
    const left = (this.#users.get(session) ?? 1) - 1
    if (left > 0) this.#users.set(session, left)
    else {
      this.#users.delete(session)
      session.unref()
    }
  }

  /**
   * After an exchange that was broken off: the peer may have stalled in the middle of a frame, which would hold up all that
   * comes after. What others have under way goes on: they have deadlines of their own.
   */
  abandon(session: ClientHttp2Session): void {
    this.leave(session)
    for (const [key, known] of this.#sessions) if (known === session) this.#sessions.delete(key)
    if (!this.#users.has(session)) session.destroy()
  }

  close(): void {
    for (const session of this.#users.keys()) session.destroy()
    this.#users.clear()
    for (const session of [...this.#sessions.values()]) session.destroy()
    this.#sessions.clear()
  }
}
