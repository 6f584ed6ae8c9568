/**
 * Space and inodes of mounted file systems. A dead network mount can hang `statfs` for ever, so each call has a limit,
 * and a mount point whose call still hangs is not asked again.
 */
import { parseDuration } from '../../protocol/durations/mod.ts'
import type { FamilyType, Metric } from '../../protocol/exposition/mod.ts'
import { FlagError, type Flags, stringFlag } from '../contract.ts'
import { type Collector, family, includeOrExclude, type NodeContext } from './collector.ts'
import { readOptional } from './files.ts'

const DEFAULT_MOUNT_EXCLUDE = '^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)'
const DEFAULT_TYPE_EXCLUDE =
  '^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|erofs|fusectl|hugetlbfs|iso9660|mqueue|nsfs|overlay|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|sysfs|tracefs)$'
const TIMEOUT_FLAG = 'collector.filesystem.mount-timeout'

export type Mount = {
  readonly device: string
  readonly mountPoint: string
  readonly type: string
  readonly options: readonly string[]
  readonly major: string
  readonly minor: string
}

const VALUES: readonly (readonly [name: string, help: string])[] = [
  ['size_bytes', 'Filesystem size in bytes.'],
  ['free_bytes', 'Filesystem free space in bytes.'],
  ['avail_bytes', 'Filesystem space available to non-root users in bytes.'],
  ['files', 'Filesystem total file nodes.'],
  ['files_free', 'Filesystem total free file nodes.'],
  ['purgeable_bytes', 'Filesystem space available including purgeable space (MacOS specific).'],
]

export function filesystemCollector(context: NodeContext): Collector {
  const { disk, clock, rootfs, flags } = context
  const mountWanted = includeOrExclude(flags, 'collector.filesystem.mount-points', DEFAULT_MOUNT_EXCLUDE)
  const typeWanted = includeOrExclude(flags, 'collector.filesystem.fs-types', DEFAULT_TYPE_EXCLUDE)
  const timeoutMs = timeoutFlag(flags)
  const stuck = new Set<string>()

  /** Values in the order of VALUES, or the name of the error. */
  async function measure(mountPoint: string): Promise<readonly number[] | string> {
    if (stuck.has(mountPoint)) return 'mountpoint timeout'
    const timeout = new AbortController()
    stuck.add(mountPoint)
    const call = disk.statfs(joinRoot(rootfs, mountPoint)).then(
      (s) => {
        const block = s.blockSizeBytes
        return [s.blocks * block, s.blocksFree * block, s.blocksAvailable * block, s.files, s.filesFree, 0]
      },
      (error: { code?: string; message: string }) => error.code ?? error.message,
    )
    void call.then(() => stuck.delete(mountPoint))
    const late = clock.sleep(timeoutMs, timeout.signal).then(
      () => 'mountpoint timeout',
      () => '',
    )
    const answer = await Promise.race([call, late])
    timeout.abort()
    return answer
  }

  return {
    name: 'filesystem',
    async update() {
      const mounts = readMounts(context).filter(({ mountPoint, type }) => mountWanted(mountPoint) && typeWanted(type))
      const seen = new Set<string>()
      const metrics = new Map<string, Metric[]>()
      const add = (name: string, labels: readonly string[], value: number): void => {
        if (!metrics.has(name)) metrics.set(name, [])
        metrics.get(name)!.push({ labels, value })
      }
      const unique = mounts.filter(({ device, mountPoint, type }) => {
        const key = `${device}\0${mountPoint}\0${type}`
        return seen.has(key) ? false : Boolean(seen.add(key))
      })
      const answers = await Promise.all(unique.map(({ mountPoint }) => measure(mountPoint)))
      unique.forEach((mount, i) => {
        const answer = answers[i]!
        const failed = typeof answer === 'string'
        const labels = [
          'device',
          mount.device,
          'device_error',
          failed ? answer : '',
          'fstype',
          mount.type,
          'mountpoint',
          mount.mountPoint,
        ]
        add('device_error', labels, failed ? 1 : 0)
        add('readonly', labels, mount.options.includes('ro') ? 1 : 0)
        if (failed) return
        VALUES.forEach(([name], j) => {
          add(name, labels, answer[j]!)
        })
        add(
          'mount_info',
          ['device', mount.device, 'major', mount.major, 'minor', mount.minor, 'mountpoint', mount.mountPoint],
          1,
        )
      })
      const out = (name: string, help: string) =>
        family('gauge' satisfies FamilyType, `filesystem_${name}`, help, metrics.get(name) ?? [])
      return [
        ...VALUES.map(([name, help]) => out(name, help)),
        out('readonly', 'Filesystem read-only status.'),
        out('device_error', 'Whether an error occurred while getting statistics for the given device.'),
        out('mount_info', 'Filesystem mount information.'),
      ]
    },
  }
}

function timeoutFlag(flags: Flags): number {
  const text = stringFlag(flags, TIMEOUT_FLAG, '5s')
  try {
    return parseDuration(text)
  } catch (error) {
    throw new FlagError(TIMEOUT_FLAG, `must be a duration like 5s, got "${text}": ${(error as Error).message}`)
  }
}

/** Mounts of process 1, which sees the host's even from inside a unit with its own namespace. */
export function readMounts(
  { disk, procfs, rootfs }: Pick<NodeContext, 'disk' | 'procfs' | 'rootfs'>,
  process: '1' | 'self' = '1',
): Mount[] {
  const text = readOptional(disk, `${procfs}/${process}/mountinfo`) ?? disk.readText(`${procfs}/self/mountinfo`)
  return text.split('\n').flatMap((line): Mount[] => {
    // Optional fields of any number end with a lone dash: `… - TYPE SOURCE SUPER_OPTIONS`.
    const [head, tail] = line.split(' - ')
    if (!head || !tail) return []
    const fields = head.split(' ')
    const [type = '', device = '', superOptions = ''] = tail.split(' ')
    const [major = '', minor = ''] = (fields[2] ?? '').split(':')
    const path = unescapePath(fields[4] ?? '')
    const mountPoint = stripRoot(rootfs, path)
    return [
      {
        device: unescapePath(device),
        mountPoint,
        type,
        options: [...(fields[5] ?? '').split(','), ...superOptions.split(',')],
        major,
        minor,
      },
    ]
  })
}

/** The kernel writes space, tab, newline and backslash in octal. */
function unescapePath(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}

/** Semantics: node_exporter paths.go, rootfsStripPrefix. */
function stripRoot(rootfs: string, path: string): string {
  if (rootfs === '/') return path
  if (!path.startsWith(rootfs)) return path
  const stripped = path.slice(rootfs.length)
  return stripped === '' ? '/' : stripped
}

function joinRoot(rootfs: string, path: string): string {
  return rootfs === '/' ? path : `${rootfs}${path}`
}
