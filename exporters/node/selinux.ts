/** Whether SELinux is on, and how strict. */
import { type Collector, type NodeContext, single } from './collector.ts'
import { readNumber, readOptional } from './files.ts'

/** Of `SELINUX=` in /etc/selinux/config. */
const MODES: Readonly<Record<string, number>> = { enforcing: 1, permissive: 0, disabled: -1 }

export function selinuxCollector({ disk, sysfs, rootfs }: NodeContext): Collector {
  const root = rootfs === '/' ? '' : rootfs
  return {
    name: 'selinux',
    update() {
      const enforce = readNumber(disk, `${sysfs}/fs/selinux/enforce`)
      const enabled = single(
        'gauge',
        'selinux_enabled',
        'SELinux is enabled, 1 is true, 0 is false',
        enforce === null ? 0 : 1,
      )
      if (enforce === null) return [enabled]
      const config = readOptional(disk, `${root}/etc/selinux/config`) ?? ''
      const configured = /^\s*SELINUX\s*=\s*(\w+)/m.exec(config)?.[1]?.toLowerCase() ?? 'disabled'
      return [
        enabled,
        single('gauge', 'selinux_config_mode', 'Configured SELinux enforcement mode', MODES[configured] ?? -1),
        single('gauge', 'selinux_current_mode', 'Current SELinux enforcement mode', enforce),
      ]
    },
  }
}
