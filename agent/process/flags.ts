/** The agent's command line. */
import { isAddress } from '../../protocol/config/mod.ts'
import { type FlagDefinition, type ParsedFlags, UsageError } from '../cli/mod.ts'

/** Targets' start timestamps go to the hub, which with the same flag makes zeros of them. */
export const START_TIMESTAMPS = 'created-timestamp-zero-ingestion'

export const AGENT_FLAGS: readonly FlagDefinition[] = [
  { name: 'config.file', kind: 'string', default: '/etc/heliograph/agent.yml', help: 'Agent configuration file path.' },
  {
    name: 'web.listen-address',
    kind: 'string',
    default: '127.0.0.1:9100',
    help: 'Address to listen on for metrics and health.',
  },
  {
    name: 'web.enable-lifecycle',
    kind: 'boolean',
    default: 'false',
    help: 'Enable shutdown and reload via HTTP request.',
  },
  {
    name: 'web.config.file',
    kind: 'string',
    default: '',
    help: 'Path to configuration file that can enable TLS or authentication. See: https://prometheus.io/docs/prometheus/latest/configuration/https/',
  },
  {
    name: 'storage.path',
    kind: 'string',
    default: '',
    help: 'Base path of the ring; overrides storage.path of the configuration.',
  },
  {
    name: 'enable-feature',
    kind: 'list',
    default: '',
    help: 'Comma separated feature names to enable. One of: [created-timestamp-zero-ingestion]',
  },
  {
    name: 'log.level',
    kind: 'string',
    default: 'info',
    help: 'Only log messages with the given severity or above. One of: [debug, info, warn, error]',
  },
  {
    name: 'log.format',
    kind: 'string',
    default: 'logfmt',
    help: 'Output format of log messages. One of: [logfmt, json]',
  },
]

/** Before anything starts. @throws UsageError naming the flag */
export function checkFlags({ values }: ParsedFlags): void {
  const choice = (name: string, allowed: readonly string[]): void => {
    const text = values.get(name)![0]!
    if (!allowed.includes(text))
      throw new UsageError(`--${name}: must be one of ${allowed.join(', ')}, got ${JSON.stringify(text)}`)
  }
  const listen = values.get('web.listen-address')![0]!
  if (!isAddress(listen)) throw new UsageError(`--web.listen-address: must be HOST:PORT, got ${JSON.stringify(listen)}`)
  for (const name of values.get('enable-feature')!)
    if (name !== '' && name !== START_TIMESTAMPS)
      throw new UsageError(`--enable-feature: must be ${START_TIMESTAMPS}, got ${JSON.stringify(name)}`)
  choice('log.level', ['debug', 'info', 'warn', 'error'])
  choice('log.format', ['logfmt', 'json'])
}
