/**
 * The systemd unit of the agent. It may read what everybody may read on this host, write its state folder and open
 * sockets; nothing else. Semantics: systemd.exec(5), systemd.service(5), of systemd 250 and newer.
 *
 * Left out on purpose: `MemoryDenyWriteExecute` (the runtime compiles code while it runs), `ProtectProc` and
 * `ProcSubset` (the node exporter counts all processes and reads all of /proc), `PrivateNetwork`.
 */
export const UNIT_NAME = 'heliograph-agent.service'
/** A unit with this line is ours and is brought up to date; without it, somebody wrote their own. */
export const UNIT_MARK = '# Written by Heliograph; changes belong into a drop-in: systemctl edit heliograph-agent'
export const CREDENTIALS_FOLDER = '/etc/heliograph/credentials'

export type UnitOptions = {
  /** Absolute program and its first arguments. */
  readonly command: readonly string[]
}

export function unitText({ command }: UnitOptions): string {
  const program = command.map(quoted).join(' ')
  return `${UNIT_MARK}
[Unit]
Description=Heliograph agent: collects on this host and loses nothing
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
User=heliograph
Group=heliograph
EnvironmentFile=-/etc/default/heliograph-agent
ExecStartPre=${program} check-config /etc/heliograph/agent.yml
ExecStart=${program} --config.file=/etc/heliograph/agent.yml $ARGS
ExecReload=${program} check-config /etc/heliograph/agent.yml
ExecReload=/bin/kill -HUP $MAINPID
# Files of this folder, such as "token" of the enrolment, are shown to the agent alone.
LoadCredential=heliograph:${CREDENTIALS_FOLDER}
StateDirectory=heliograph
StateDirectoryMode=0700
WorkingDirectory=/var/lib/heliograph
WatchdogSec=60
Restart=on-failure
RestartSec=2
RestartPreventExitStatus=2
TimeoutStartSec=120
TimeoutStopSec=15
KillMode=mixed
LimitNOFILE=65536
OOMScoreAdjust=-100
Nice=5

UMask=0077
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictNamespaces=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
# These only tell the time here: setting it needs a capability that the agent has not.
SystemCallFilter=adjtimex clock_adjtime
SystemCallErrorNumber=EPERM
ProtectSystem=strict
ProtectHome=read-only
ProtectHostname=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
PrivateTmp=yes
PrivateUsers=yes
PrivateDevices=yes
DevicePolicy=closed
PrivateMounts=yes
RemoveIPC=yes
KeyringMode=private

[Install]
WantedBy=multi-user.target
`
}

/** What some collectors need beyond the unit, by the name to give to `install --with`. */
export const DROP_INS: Readonly<Record<string, { readonly why: string; readonly lines: readonly string[] }>> = {
  perf: {
    why: 'perf_event_open of the collector perf',
    lines: [
      'PrivateUsers=no',
      'CapabilityBoundingSet=CAP_PERFMON',
      'AmbientCapabilities=CAP_PERFMON',
      'SystemCallFilter=perf_event_open',
    ],
  },
  ethtool: {
    why: 'SIOCETHTOOL of the collector ethtool on drivers that ask for it',
    lines: ['PrivateUsers=no', 'CapabilityBoundingSet=CAP_NET_ADMIN', 'AmbientCapabilities=CAP_NET_ADMIN'],
  },
  icmp: {
    why: 'raw sockets of ICMP probes',
    lines: ['PrivateUsers=no', 'CapabilityBoundingSet=CAP_NET_RAW', 'AmbientCapabilities=CAP_NET_RAW'],
  },
  devices: { why: 'collectors that open files of /dev', lines: ['PrivateDevices=no', 'DevicePolicy=auto'] },
}

export function dropInText(name: string): string {
  const { why, lines } = DROP_INS[name]!
  return `${UNIT_MARK}\n# For ${why}.\n[Service]\n${lines.join('\n')}\n`
}

/** As systemd reads one word of a command line. */
function quoted(word: string): string {
  const escaped = word.replace(/%/g, '%%').replace(/\$/g, '$$$$')
  return /^[\w@%+=:,./-]+$/.test(escaped) ? escaped : `"${escaped.replace(/[\\"]/g, '\\$&')}"`
}
