/** The configuration that a new installation begins with: this host's figures, kept here until a hub is named. */
export type DefaultConfigOptions = {
  /** '' = to be filled in. */
  readonly hubUrl: string
  /** Sections of `exporters:` that detection proposes, switched off by comment signs. */
  readonly proposals?: string
}

export function defaultConfig({ hubUrl, proposals = '' }: DefaultConfigOptions): string {
  const hub = hubUrl === '' ? '# hub:\n#   url: https://hub.example:9090' : `hub:\n  url: ${JSON.stringify(hubUrl)}`
  const commented = proposals
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => `#${line}\n`)
    .join('')
  return `# Configuration of the Heliograph agent. Check it with: heliograph-agent check-config
# Changes count after: systemctl reload heliograph-agent
global:
  scrape_interval: 15s

# Where samples go. The one-time token of the enrolment belongs into
# /etc/heliograph/credentials/token, or: heliograph-agent enroll --hub URL --token TOKEN
${hub}

storage:
  path: /var/lib/heliograph
  max_bytes: 512MB

# heliograph-agent detect proposes more, for what runs on this host.
exporters:
  node: {}
${commented}
scrape_configs: []
`
}

export const DEFAULTS_FILE = `# Flags of heliograph-agent, for example:
# ARGS="--web.listen-address=127.0.0.1:9100 --log.level=debug"
ARGS=""
`
