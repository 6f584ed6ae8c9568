/**
 * Request headers of a scrape. Semantics: Prometheus scrape/scrape.go, acceptHeader (v3.14).
 */
import type { ScrapeProtocol } from '../../protocol/exposition/mod.ts'

const MEDIA: Readonly<Record<ScrapeProtocol, string>> = {
  PrometheusProto: 'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited',
  'PrometheusText0.0.4': 'text/plain;version=0.0.4',
  'PrometheusText1.0.0': 'text/plain;version=1.0.0',
  'OpenMetricsText0.0.1': 'application/openmetrics-text;version=0.0.1',
  'OpenMetricsText1.0.0': 'application/openmetrics-text;version=1.0.0',
}

/** Best first, with falling weights, then anything. */
export function acceptHeader(protocols: readonly ScrapeProtocol[], escaping: string): string {
  let weight = Object.keys(MEDIA).length + 1
  const parts: string[] = []
  for (const protocol of protocols) {
    const withEscaping = protocol.endsWith('1.0.0') ? `;escaping=${escaping}` : ''
    parts.push(`${MEDIA[protocol]}${withEscaping};q=0.${weight--}`)
  }
  parts.push(`*/*;q=0.${weight}`)
  return parts.join(',')
}
