/** What an operator can do about an error, by what its line says. The first that matches counts. */
const HINTS: readonly (readonly [pattern: RegExp, hint: string])[] = [
  [
    /No hub and no nats/,
    'Nothing, if this agent is to be scraped; else name the hub (hub: url) and enrol: heliograph-agent enroll --hub URL --token TOKEN',
  ],
  [
    /enrol.*token|token.*enrol|one-time token/i,
    'Make a new token on the hub (heliograph-hub agents token) and give it: heliograph-agent enroll --hub URL --token TOKEN',
  ],
  [
    /revoked|not approved|approve|Authorization Violation/i,
    'Ask the operator of the hub: heliograph-hub agents list, then agents approve ID KEY',
  ],
  [
    /certificate|x509|tls:/i,
    'Check the clock of this host, the certificate of the server, and tls_config or ca_file in the configuration',
  ],
  [/ENOSPC|disk is full|no space/i, 'Free space on the file system of the storage path, or lower storage.max_bytes'],
  [/EROFS|read-only/i, 'The file system is read-only: look into dmesg for disk errors, then remount it'],
  [
    /EADDRINUSE|address already in use/i,
    'Another program listens there (ss -lntup): stop it, or choose another address',
  ],
  [
    /Access denied for user|authentication failed|status 401|401 Unauthorized/i,
    'User or password is wrong, or the account may not: check them in the configuration or the file that it names',
  ],
  [
    /Access denied; you need|command denied to user/i,
    'The account lacks a right that the collector needs: grant what the error names, or switch the collector off',
  ],
  [
    /Textfile left out/,
    'Mend the file or the program that writes it (promtool check metrics < FILE), or the directory',
  ],
  [
    /dial unix .*no such file or directory|connect ENOENT/,
    'No such socket: check that the service runs, and that the path is the one in its configuration',
  ],
  [
    /ECONNREFUSED|connection refused/i,
    'Nothing listens at that address: check that the service runs and that host and port are right',
  ],
  [/ENOTFOUND|no such host|EAI_AGAIN/i, 'The name cannot be resolved: check it, and /etc/resolv.conf'],
  [
    /ETIMEDOUT|timeout|timed out|deadline/i,
    'No answer in time: check firewalls and the load of the other side, or raise scrape_timeout',
  ],
  [
    /EACCES|EPERM|permission denied/i,
    'The account heliograph may not read it: grant it, or see heliograph-agent install --help for drop-ins (--with)',
  ],
  [
    /(sample|label|target|body.size|bucket).limit|label_(name|value)_length_limit|BODY_TOO_LARGE/i,
    'Raise the limit in the job of the configuration, or drop series by metric_relabel_configs',
  ],
  [
    /ring.*(set aside|damage|quarantin)/i,
    'The ring was damaged and salvaged; check the disk (smartctl, dmesg). The copy beside it can be removed',
  ],
  [/overwritten/i, 'The hub was away longer than the ring could hold: raise storage.max_bytes'],
  [/take effect at the next start/i, 'systemctl restart heliograph-agent; what is in the ring stays'],
  [
    /Error (re)?loading config|parsing YAML/i,
    'heliograph-agent check-config names the line; the running configuration is kept until it is mended',
  ],
]

/** '' where nothing is known. */
export function hintFor(line: string): string {
  return HINTS.find(([pattern]) => pattern.test(line))?.[1] ?? ''
}
