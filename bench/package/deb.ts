/**
 * The agent as a Debian package, made of the single file by `dpkg-deb`. The unit is the one that `heliograph-agent
 * install` writes; the scripts do what debhelper's would, and put up with a system where systemd does not run. The
 * configuration is not one of dpkg's: it is written once and never again, because `enroll` changes it.
 */
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import {
  ACCOUNT,
  applySysctl,
  CREDENTIALS_FOLDER,
  DEFAULTS_FILE,
  DROP_INS,
  defaultConfig,
  dropInText,
  SYSCTL_NAME,
  SYSCTL_TEXT,
  UNIT_MARK,
  UNIT_NAME,
  unitText,
} from '../../agent/install/mod.ts'
import { VERSION } from '../../agent/process/version.ts'

const NAME = 'heliograph-agent'
const PROGRAM = `/usr/bin/${NAME}`
const SHARE = `/usr/share/${NAME}`
const SYSCTL_FILE = `/usr/lib/sysctl.d/${SYSCTL_NAME}`
const DOC = `/usr/share/doc/${NAME}`
const ARCHITECTURE: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' }

export type DebOptions = {
  readonly singleFile: string
  readonly license: string
  /** Folder for the package. */
  readonly outputFolder: string
  /** A folder that may be filled and is removed by the caller. */
  readonly workFolder: string
}

/** @returns the package's path */
export function buildDeb({ singleFile, license, outputFolder, workFolder }: DebOptions): string {
  const architecture = ARCHITECTURE[process.arch]
  if (!architecture) throw new Error(`No Debian architecture is known for ${process.arch}`)
  const put = (place: string, text: string, mode = 0o644): void => {
    const file = path.join(workFolder, place)
    fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o755 })
    fs.writeFileSync(file, text, { mode })
    fs.chmodSync(file, mode)
  }
  put(PROGRAM, '', 0o755)
  fs.copyFileSync(singleFile, path.join(workFolder, PROGRAM))
  put(`/lib/systemd/system/${UNIT_NAME}`, unitText({ command: [PROGRAM] }).replace(`${UNIT_MARK}\n`, ''))
  put('/etc/default/heliograph-agent', DEFAULTS_FILE)
  put(SYSCTL_FILE, SYSCTL_TEXT)
  put(`${SHARE}/agent.yml`, defaultConfig({ hubUrl: '' }))
  for (const name of Object.keys(DROP_INS)) put(`${SHARE}/drop-ins/${name}.conf`, dropInText(name))
  put(`${DOC}/copyright`, license)
  const sizeKib = Math.ceil(folderBytes(workFolder) / 1024)
  put('/DEBIAN/control', control(architecture, sizeKib))
  put('/DEBIAN/conffiles', '/etc/default/heliograph-agent\n')
  put('/DEBIAN/postinst', POSTINST, 0o755)
  put('/DEBIAN/prerm', PRERM, 0o755)
  put('/DEBIAN/postrm', POSTRM, 0o755)
  const file = path.join(outputFolder, `${NAME}_${VERSION}_${architecture}.deb`)
  fs.mkdirSync(outputFolder, { recursive: true })
  // The runtime inside is a hundred megabytes: xz takes a minute to save a tenth.
  execFileSync('dpkg-deb', ['--root-owner-group', '-Zgzip', '-z6', '--build', workFolder, file], { stdio: 'pipe' })
  return file
}

function control(architecture: string, sizeKib: number): string {
  return `Package: ${NAME}
Version: ${VERSION}
Architecture: ${architecture}
Maintainer: The Heliograph authors <heliograph@localhost>
Installed-Size: ${sizeKib}
Depends: libc6, passwd, init-system-helpers
Suggests: systemd
Section: admin
Priority: optional
Description: monitoring agent that loses nothing
 One process in place of node_exporter, mysqld_exporter, memcached_exporter,
 haproxy_exporter, statsd_exporter and a forwarder. It keeps what it collects in
 a ring on disk until a Heliograph hub has acknowledged it.
`
}

const POSTINST = `#!/bin/sh
set -e
case "$1" in
configure|abort-upgrade|abort-deconfigure|abort-remove)
	if ! getent passwd ${ACCOUNT} >/dev/null; then
		useradd --system --user-group --home-dir /var/lib/heliograph --no-create-home --shell /usr/sbin/nologin ${ACCOUNT}
	fi
	install -d -m 0755 /etc/heliograph
	install -d -m 0700 ${CREDENTIALS_FOLDER}
	install -d -m 0700 -o ${ACCOUNT} -g ${ACCOUNT} /var/lib/heliograph
	if [ ! -e /etc/heliograph/agent.yml ]; then
		install -m 0640 -o root -g ${ACCOUNT} ${SHARE}/agent.yml /etc/heliograph/agent.yml
	fi
	# Not in a container, or without procps.
	{ ${applySysctl(SYSCTL_FILE)}; } 2>/dev/null || true
	deb-systemd-helper unmask '${UNIT_NAME}' >/dev/null || true
	if deb-systemd-helper --quiet was-enabled '${UNIT_NAME}'; then
		deb-systemd-helper enable '${UNIT_NAME}' >/dev/null || true
	else
		deb-systemd-helper update-state '${UNIT_NAME}' >/dev/null || true
	fi
	if [ -d /run/systemd/system ]; then
		systemctl --system daemon-reload >/dev/null || true
		if [ -n "$2" ]; then action=restart; else action=start; fi
		deb-systemd-invoke $action '${UNIT_NAME}' >/dev/null || true
	fi
	;;
esac
`

const PRERM = `#!/bin/sh
set -e
if [ -d /run/systemd/system ] && [ "$1" = remove ]; then
	deb-systemd-invoke stop '${UNIT_NAME}' >/dev/null || true
fi
`

const POSTRM = `#!/bin/sh
set -e
if [ -d /run/systemd/system ] && [ "$1" = remove ]; then
	systemctl --system daemon-reload >/dev/null || true
fi
if [ "$1" = remove ] && [ -x /usr/bin/deb-systemd-helper ]; then
	deb-systemd-helper mask '${UNIT_NAME}' >/dev/null || true
fi
if [ "$1" = purge ]; then
	if [ -x /usr/bin/deb-systemd-helper ]; then
		deb-systemd-helper purge '${UNIT_NAME}' >/dev/null || true
		deb-systemd-helper unmask '${UNIT_NAME}' >/dev/null || true
	fi
	rm -rf /etc/heliograph /var/lib/heliograph
	if getent passwd ${ACCOUNT} >/dev/null && [ -x /usr/sbin/userdel ]; then
		userdel ${ACCOUNT} || true
	fi
fi
`

function folderBytes(folder: string): number {
  return fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + fs.statSync(path.join(entry.parentPath, entry.name)).size, 0)
}
