/** The metrics of one probe. Names and helps: blackbox_exporter prober/*.go (v0.28). */
import { gauge, type Metric, type MetricFamily } from '../../protocol/exposition/mod.ts'
import { compareStrings } from '../../protocol/labels/mod.ts'

type Definition = { readonly help: string; readonly labels?: readonly string[] }

const PHASE = ['phase']
const CHAIN = ['fingerprint_sha256', 'subject', 'issuer', 'subjectalternative', 'serialnumber']

const DEFINITIONS = {
  probe_success: { help: 'Displays whether or not the probe was a success' },
  probe_duration_seconds: { help: 'Returns how long the probe took to complete in seconds' },
  probe_timeout_seconds: { help: 'Returns how long the probe timeout is in seconds' },
  probe_dns_lookup_time_seconds: { help: 'Returns the time taken for probe dns lookup in seconds' },
  probe_ip_protocol: { help: 'Specifies whether probe ip protocol is IP4 or IP6' },
  probe_ip_addr_hash: {
    help: "Specifies the hash of IP address. It's useful to detect if the IP address changes.",
  },
  probe_ssl_earliest_cert_expiry: { help: 'Returns last SSL chain expiry in unixtime' },
  probe_ssl_last_chain_expiry_timestamp_seconds: { help: 'Returns last SSL chain expiry in timestamp' },
  probe_ssl_last_chain_info: { help: 'Contains SSL leaf certificate information', labels: CHAIN },
  probe_tls_version_info: { help: 'Returns the TLS version used or NaN when unknown' },
  probe_tls_cipher_info: { help: 'Returns the TLS cipher negotiated during handshake' },
  probe_http_duration_seconds: {
    help: 'Duration of http request by phase, summed over all redirects',
    labels: PHASE,
  },
  probe_http_content_length: { help: 'Length of http content response' },
  probe_http_uncompressed_body_length: { help: 'Length of uncompressed response body' },
  probe_http_redirects: { help: 'The number of redirects' },
  probe_http_ssl: { help: 'Indicates if SSL was used for the final redirect' },
  probe_http_status_code: { help: 'Response HTTP status code' },
  probe_http_version: { help: 'Returns the version of HTTP of the probe response' },
  probe_http_last_modified_timestamp_seconds: {
    help: 'Returns the Last-Modified HTTP response header in unixtime',
  },
  probe_failed_due_to_regex: { help: 'Indicates if probe failed due to regex' },
  probe_failed_due_to_bytes: { help: 'Indicates if probe failed due to bytes' },
  probe_failed_due_to_cel: { help: 'Indicates if probe failed due to CEL expression not matching' },
  probe_expect_info: { help: 'Explicit content matched' },
  probe_icmp_duration_seconds: { help: 'Duration of icmp request by phase', labels: PHASE },
  probe_icmp_reply_hop_limit: { help: 'Replied packet hop limit (TTL for ipv4)' },
  probe_dns_duration_seconds: { help: 'Duration of DNS request by phase', labels: PHASE },
  probe_dns_answer_rrs: { help: 'Returns number of entries in the answer resource record list' },
  probe_dns_authority_rrs: { help: 'Returns number of entries in the authority resource record list' },
  probe_dns_additional_rrs: { help: 'Returns number of entries in the additional resource record list' },
  probe_dns_query_succeeded: { help: 'Displays whether or not the query was executed successfully' },
  probe_dns_serial: { help: 'Returns the serial number of the zone' },
  probe_grpc_duration_seconds: { help: 'Duration of gRPC request by phase', labels: PHASE },
  probe_grpc_ssl: { help: 'Indicates if SSL was used for the connection' },
  probe_grpc_status_code: { help: 'Response gRPC status code' },
  probe_grpc_healthcheck_response: { help: 'Response HealthCheck response', labels: ['serving_status'] },
  probe_websocket_status_code: { help: 'Response HTTP status code' },
  probe_websocket_connection_upgraded: {
    help: 'Indicates if the websocket connection was successfully upgraded',
  },
  probe_websocket_failed_due_to_regex: { help: 'Indicates if probe failed due to regex' },
  probe_websocket_duration_seconds: { help: 'Duration of websocket request by phase', labels: PHASE },
} as const satisfies Readonly<Record<string, Definition>>

export type ProbeMetric = keyof typeof DEFINITIONS
export const PROBE_METRICS: Readonly<Record<ProbeMetric, Definition>> = DEFINITIONS
type Labels = Readonly<Record<string, string>>

export class ProbePage {
  readonly #series = new Map<ProbeMetric, Map<string, { labels: readonly string[]; value: number }>>()

  /** 0 until they are set. */
  register(...names: readonly ProbeMetric[]): void {
    for (const name of names) this.set(name, 0)
  }

  set(name: ProbeMetric, value: number, labels: Labels = {}): void {
    this.#one(name, labels).value = value
  }

  add(name: ProbeMetric, value: number, labels: Labels = {}): void {
    this.#one(name, labels).value += value
  }

  #one(name: ProbeMetric, labels: Labels): { labels: readonly string[]; value: number } {
    const pairs = Object.entries(labels)
      .sort(([a], [b]) => compareStrings(a, b))
      .flat()
    let series = this.#series.get(name)
    if (series === undefined) this.#series.set(name, (series = new Map()))
    const key = pairs.join('\n')
    let one = series.get(key)
    if (one === undefined) series.set(key, (one = { labels: pairs, value: 0 }))
    return one
  }

  families(): MetricFamily[] {
    return [...this.#series].map(([name, series]) =>
      gauge(
        name,
        PROBE_METRICS[name].help,
        [...series.values()].map(({ labels, value }): Metric => ({ labels, value })),
      ),
    )
  }
}
