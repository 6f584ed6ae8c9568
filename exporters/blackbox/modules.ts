/** What the file of modules says, decoded: one type for each prober. Semantics: blackbox_exporter config/config.go (v0.28). */
import type { HttpClientConfig, TlsConfig } from '../../protocol/config/mod.ts'
import type { compileRegex } from '../../protocol/matchers/mod.ts'
import type { CelProgram } from './cel.ts'

export type Regex = ReturnType<typeof compileRegex>
export type Pattern = { readonly source: string; readonly regex: Regex }

/** Where a name has addresses of both kinds. */
export type Addressing = {
  /** '' is ip6, as upstream. */
  readonly preferred: string
  readonly fallback: boolean
}

export type HeaderMatch = { readonly header: string; readonly pattern: Pattern; readonly allowMissing: boolean }

export type HttpProbe = {
  readonly addressing: Addressing
  readonly validStatusCodes: readonly number[]
  readonly validHttpVersions: readonly string[]
  readonly skipResolveWithProxy: boolean
  readonly failIfSsl: boolean
  readonly failIfNotSsl: boolean
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly failIfBodyMatches: readonly Pattern[]
  readonly failIfBodyNotMatches: readonly Pattern[]
  readonly failIfBodyJsonMatches: CelProgram | null
  readonly failIfBodyJsonNotMatches: CelProgram | null
  readonly failIfHeaderMatches: readonly HeaderMatch[]
  readonly failIfHeaderNotMatches: readonly HeaderMatch[]
  readonly body: string
  readonly bodyFile: string
  readonly compression: string
  /** 0: upstream knows no limit. */
  readonly bodySizeLimit: number
  readonly enableHttp3: boolean
  readonly client: HttpClientConfig
}

export type QueryResponse = {
  readonly expect: Pattern | null
  readonly expectBytes: string
  readonly labels: readonly { readonly name: string; readonly value: string }[]
  readonly send: string
  readonly startTls: boolean
}

export type TcpProbe = {
  readonly addressing: Addressing
  readonly sourceAddress: string
  readonly queryResponse: readonly QueryResponse[]
  readonly tls: boolean
  readonly tlsConfig: TlsConfig | null
}

export type UnixProbe = Pick<TcpProbe, 'queryResponse' | 'tls' | 'tlsConfig'>

export type IcmpProbe = {
  readonly addressing: Addressing
  readonly sourceAddress: string
  readonly payloadSize: number
  readonly dontFragment: boolean
  readonly ttl: number
}

export type RecordChecks = {
  readonly failIfMatches: readonly Pattern[]
  readonly failIfAllMatch: readonly Pattern[]
  readonly failIfNotMatches: readonly Pattern[]
  readonly failIfNoneMatches: readonly Pattern[]
}

export type DnsProbe = {
  readonly addressing: Addressing
  readonly overTls: boolean
  readonly tlsConfig: TlsConfig | null
  readonly sourceAddress: string
  readonly transport: string
  readonly queryClass: string
  readonly queryName: string
  readonly queryType: string
  readonly recursion: boolean
  /** null: NOERROR alone. */
  readonly validRcodes: readonly string[] | null
  readonly answer: RecordChecks
  readonly authority: RecordChecks
  readonly additional: RecordChecks
}

export type GrpcProbe = {
  readonly addressing: Addressing
  readonly service: string
  readonly tls: boolean
  readonly tlsConfig: TlsConfig | null
  readonly metadata: Readonly<Record<string, readonly string[]>>
}

export type WebsocketProbe = {
  readonly addressing: Addressing
  readonly client: HttpClientConfig
  readonly headers: Readonly<Record<string, string>>
  readonly queryResponse: readonly QueryResponse[]
}

export type Module = {
  readonly prober: Prober
  /** 0: the caller's. */
  readonly timeoutMs: number
  readonly http: HttpProbe
  readonly tcp: TcpProbe
  readonly unix: UnixProbe
  readonly icmp: IcmpProbe
  readonly dns: DnsProbe
  readonly grpc: GrpcProbe
  readonly websocket: WebsocketProbe
}

export const PROBERS = ['http', 'tcp', 'icmp', 'dns', 'grpc', 'unix', 'websocket'] as const
export type Prober = (typeof PROBERS)[number]

export type BlackboxConfig = {
  readonly modules: Readonly<Record<string, Module>>
  /** Without secrets, as YAML. */
  readonly redacted: string
}
