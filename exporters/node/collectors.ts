/** Every collector by its upstream name: how it is made, whether it is on by default, which flags are its own. */

import { arpCollector } from './arp.ts'
import { bcacheCollector } from './bcache.ts'
import { bcachefsCollector } from './bcachefs.ts'
import { bondingCollector } from './bonding.ts'
import { btrfsCollector } from './btrfs.ts'
import { buddyinfoCollector } from './buddyinfo.ts'
import { cgroupsCollector } from './cgroups.ts'
import type { Collector, NodeContext } from './collector.ts'
import { conntrackCollector } from './conntrack.ts'
import { cpuCollector } from './cpu.ts'
import { cpuVulnerabilitiesCollector } from './cpu-vulnerabilities.ts'
import { cpufreqCollector } from './cpufreq.ts'
import { diskstatsCollector } from './diskstats.ts'
import { dmiCollector } from './dmi.ts'
import { dmmultipathCollector } from './dmmultipath.ts'
import { drbdCollector } from './drbd.ts'
import { drmCollector } from './drm.ts'
import { edacCollector } from './edac.ts'
import { entropyCollector } from './entropy.ts'
import { ethtoolCollector } from './ethtool.ts'
import { fibrechannelCollector } from './fibrechannel.ts'
import { filefdCollector } from './filefd.ts'
import { filesystemCollector } from './filesystem.ts'
import { hwmonCollector } from './hwmon.ts'
import { infinibandCollector } from './infiniband.ts'
import { interruptsCollector } from './interrupts.ts'
import { ipvsCollector } from './ipvs.ts'
import { kernelHungCollector } from './kernel-hung.ts'
import { ksmdCollector } from './ksmd.ts'
import { lnstatCollector } from './lnstat.ts'
import { loadavgCollector } from './loadavg.ts'
import { logindCollector } from './logind.ts'
import { mdadmCollector } from './mdadm.ts'
import { meminfoCollector } from './meminfo.ts'
import { meminfoNumaCollector } from './meminfo-numa.ts'
import { mountstatsCollector } from './mountstats.ts'
import { netclassCollector } from './netclass.ts'
import { netdevCollector } from './netdev.ts'
import { netstatCollector } from './netstat.ts'
import { networkRouteCollector } from './network-route.ts'
import { nfsCollector } from './nfs.ts'
import { nfsdCollector } from './nfsd.ts'
import { ntpCollector } from './ntp.ts'
import { nvmeCollector } from './nvme.ts'
import { nvmesubsystemCollector } from './nvmesubsystem.ts'
import { osCollector } from './os.ts'
import { pcideviceCollector } from './pcidevice.ts'
import { perfCollector } from './perf.ts'
import { powersupplyclassCollector } from './powersupplyclass.ts'
import { pressureCollector } from './pressure.ts'
import { processesCollector } from './processes.ts'
import { qdiscCollector } from './qdisc.ts'
import { raplCollector } from './rapl.ts'
import { runitCollector } from './runit.ts'
import { schedstatCollector } from './schedstat.ts'
import { selinuxCollector } from './selinux.ts'
import { slabinfoCollector } from './slabinfo.ts'
import { sockstatCollector } from './sockstat.ts'
import { softirqsCollector } from './softirqs.ts'
import { softnetCollector } from './softnet.ts'
import { statCollector } from './stat.ts'
import { supervisordCollector } from './supervisord.ts'
import { swapCollector } from './swap.ts'
import { sysctlCollector } from './sysctl.ts'
import { systemdCollector } from './systemd.ts'
import { tapestatsCollector } from './tapestats.ts'
import { tcpstatCollector } from './tcpstat.ts'
import { textfileCollector } from './textfile.ts'
import { thermalZoneCollector } from './thermal-zone.ts'
import { timeCollector } from './time.ts'
import { timexCollector } from './timex.ts'
import { udpQueuesCollector } from './udp-queues.ts'
import { unameCollector } from './uname.ts'
import { vmstatCollector } from './vmstat.ts'
import { watchdogCollector } from './watchdog.ts'
import { wifiCollector } from './wifi.ts'
import { xfrmCollector } from './xfrm.ts'
import { xfsCollector } from './xfs.ts'
import { zfsCollector } from './zfs.ts'
import { zoneinfoCollector } from './zoneinfo.ts'

type Entry = {
  readonly make: (context: NodeContext) => Collector
  readonly on: boolean
  /** Without their `collector.`. */
  readonly flags?: readonly string[]
}

/** On by default as upstream's `defaultEnabled`. */
export const COLLECTORS: Readonly<Record<string, Entry>> = {
  arp: { make: arpCollector, on: true, flags: ['arp.device-include', 'arp.device-exclude', 'arp.netlink'] },
  bcache: { make: bcacheCollector, on: true, flags: ['bcache.priorityStats'] },
  bcachefs: { make: bcachefsCollector, on: true },
  bonding: { make: bondingCollector, on: true },
  btrfs: { make: btrfsCollector, on: true },
  buddyinfo: { make: buddyinfoCollector, on: false },
  cgroups: { make: cgroupsCollector, on: false },
  conntrack: { make: conntrackCollector, on: true },
  cpu: {
    make: cpuCollector,
    on: true,
    flags: ['cpu.guest', 'cpu.info', 'cpu.info.flags-include', 'cpu.info.bugs-include'],
  },
  cpu_vulnerabilities: { make: cpuVulnerabilitiesCollector, on: false },
  cpufreq: { make: cpufreqCollector, on: true },
  diskstats: { make: diskstatsCollector, on: true, flags: ['diskstats.device-include', 'diskstats.device-exclude'] },
  dmi: { make: dmiCollector, on: true },
  dmmultipath: { make: dmmultipathCollector, on: true },
  drbd: { make: drbdCollector, on: false },
  drm: { make: drmCollector, on: false },
  edac: { make: edacCollector, on: true },
  entropy: { make: entropyCollector, on: true },
  ethtool: {
    make: ethtoolCollector,
    on: false,
    flags: ['ethtool.device-include', 'ethtool.device-exclude', 'ethtool.metrics-include'],
  },
  fibrechannel: { make: fibrechannelCollector, on: true },
  filefd: { make: filefdCollector, on: true },
  filesystem: {
    make: filesystemCollector,
    on: true,
    flags: [
      'filesystem.mount-points-include',
      'filesystem.mount-points-exclude',
      'filesystem.fs-types-include',
      'filesystem.fs-types-exclude',
      'filesystem.mount-timeout',
      'filesystem.stat-workers',
    ],
  },
  hwmon: {
    make: hwmonCollector,
    on: true,
    flags: ['hwmon.chip-include', 'hwmon.chip-exclude', 'hwmon.sensor-include', 'hwmon.sensor-exclude'],
  },
  infiniband: { make: infinibandCollector, on: true },
  interrupts: {
    make: interruptsCollector,
    on: false,
    flags: ['interrupts.name-include', 'interrupts.name-exclude', 'interrupts.include-zeros'],
  },
  ipvs: { make: ipvsCollector, on: true, flags: ['ipvs.backend-labels'] },
  kernel_hung: { make: kernelHungCollector, on: true },
  ksmd: { make: ksmdCollector, on: false },
  lnstat: { make: lnstatCollector, on: false },
  loadavg: { make: loadavgCollector, on: true },
  logind: { make: logindCollector, on: false },
  mdadm: { make: mdadmCollector, on: true },
  meminfo: { make: meminfoCollector, on: true },
  meminfo_numa: { make: meminfoNumaCollector, on: false },
  mountstats: { make: mountstatsCollector, on: false },
  netclass: {
    make: netclassCollector,
    on: true,
    flags: [
      'netclass.ignored-devices',
      'netclass.ignore-invalid-speed',
      'netclass.netlink',
      'netclass_rtnl.with-stats',
    ],
  },
  netdev: {
    make: netdevCollector,
    on: true,
    flags: [
      'netdev.device-include',
      'netdev.device-exclude',
      'netdev.netlink',
      'netdev.address-info',
      'netdev.enable-detailed-metrics',
      'netdev.label-ifalias',
    ],
  },
  netstat: { make: netstatCollector, on: true, flags: ['netstat.fields'] },
  network_route: { make: networkRouteCollector, on: false },
  nfs: { make: nfsCollector, on: true },
  nfsd: { make: nfsdCollector, on: true },
  ntp: {
    make: ntpCollector,
    on: false,
    flags: [
      'ntp.server',
      'ntp.server-port',
      'ntp.protocol-version',
      'ntp.server-is-local',
      'ntp.ip-ttl',
      'ntp.max-distance',
      'ntp.local-offset-tolerance',
    ],
  },
  nvme: { make: nvmeCollector, on: true },
  nvmesubsystem: { make: nvmesubsystemCollector, on: false },
  os: { make: osCollector, on: true },
  pcidevice: { make: pcideviceCollector, on: false, flags: ['pcidevice.idsfile', 'pcidevice.names'] },
  perf: {
    make: perfCollector,
    on: false,
    flags: [
      'perf.cpus',
      'perf.tracepoint',
      'perf.disable-hardware-profilers',
      'perf.hardware-profilers',
      'perf.disable-software-profilers',
      'perf.software-profilers',
      'perf.disable-cache-profilers',
      'perf.cache-profilers',
    ],
  },
  powersupplyclass: { make: powersupplyclassCollector, on: true, flags: ['powersupply.ignored-supplies'] },
  pressure: { make: pressureCollector, on: true },
  processes: { make: processesCollector, on: false },
  qdisc: { make: qdiscCollector, on: false, flags: ['qdisc.fixtures', 'qdisc.device-include', 'qdisc.device-exclude'] },
  rapl: { make: raplCollector, on: true, flags: ['rapl.enable-zone-label'] },
  runit: { make: runitCollector, on: false, flags: ['runit.servicedir'] },
  schedstat: { make: schedstatCollector, on: true },
  selinux: { make: selinuxCollector, on: true },
  slabinfo: { make: slabinfoCollector, on: false, flags: ['slabinfo.slabs-include', 'slabinfo.slabs-exclude'] },
  sockstat: { make: sockstatCollector, on: true },
  softirqs: { make: softirqsCollector, on: false },
  softnet: { make: softnetCollector, on: true },
  stat: { make: statCollector, on: true, flags: ['stat.softirq'] },
  supervisord: { make: supervisordCollector, on: false, flags: ['supervisord.url'] },
  swap: { make: swapCollector, on: false },
  sysctl: { make: sysctlCollector, on: false, flags: ['sysctl.include', 'sysctl.include-info'] },
  systemd: {
    make: systemdCollector,
    on: false,
    flags: [
      'systemd.unit-include',
      'systemd.unit-exclude',
      'systemd.enable-task-metrics',
      'systemd.enable-restarts-metrics',
      'systemd.enable-start-time-metrics',
      'systemd.private',
    ],
  },
  tapestats: { make: tapestatsCollector, on: true, flags: ['tapestats.ignored-devices'] },
  tcpstat: { make: tcpstatCollector, on: false },
  textfile: { make: textfileCollector, on: true, flags: ['textfile.directory'] },
  thermal_zone: { make: thermalZoneCollector, on: true },
  time: { make: timeCollector, on: true },
  timex: { make: timexCollector, on: true },
  udp_queues: { make: udpQueuesCollector, on: true },
  uname: { make: unameCollector, on: true },
  vmstat: { make: vmstatCollector, on: true, flags: ['vmstat.fields'] },
  watchdog: { make: watchdogCollector, on: true },
  wifi: { make: wifiCollector, on: false, flags: ['wifi.fixtures'] },
  xfrm: { make: xfrmCollector, on: false },
  xfs: { make: xfsCollector, on: true },
  zfs: { make: zfsCollector, on: true },
  zoneinfo: { make: zoneinfoCollector, on: false },
}
