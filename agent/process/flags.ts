/** The agent's command line. */
import type { FlagDefinition } from '../cli/mod.ts'

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
    name: 'storage.path',
    kind: 'string',
    default: '',
    help: 'Base path of the ring; overrides storage.path of the configuration.',
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
