/** What a simulated host (host-model.ts) tells of itself: names and motions of its metrics, after a node exporter 1.11. */

/** How a series moves in one step; the parameter is its mean increment or its size. */
export type Motion =
  | 'constant'
  | 'counter' // whole increments, exponential about the mean
  | 'centiseconds' // CPU time: increments of 0.01 s
  | 'milliseconds' // device time: increments of 0.001 s
  | 'microseconds' // pressure: increments of 0.000001 s
  | 'pages' // memory: a random walk in steps of 4096 bytes
  | 'load' // a mean-reverting walk with two decimals
  | 'level' // a small whole number that hovers
  | 'noise' // durations: unrelated from step to step, nanoseconds
  | 'clock' // seconds since 1970 with fractions

export const CPU_MODES = [
  ['idle', 13.8, 1],
  ['iowait', 0.03, 0.7],
  ['irq', 0.01, 0.3],
  ['nice', 0, 0],
  ['softirq', 0.04, 0.6],
  ['steal', 0.02, 0.5],
  ['system', 0.3, 1],
  ['user', 0.7, 1],
] as const

export const SOFTNET = [
  ['backlog_len', 0, 0],
  ['cpu_collision_total', 0, 0],
  ['dropped_total', 0, 0],
  ['flow_limit_count_total', 0, 0],
  ['processed_total', 900, 1],
  ['received_rps_total', 0, 0],
  ['times_squeezed_total', 1, 0.02],
] as const

export const DISK = [
  ['discard_time_seconds_total', 'milliseconds', 0.01, 0.2],
  ['discarded_sectors_total', 'counter', 3000, 0.2],
  ['discards_completed_total', 'counter', 5, 0.2],
  ['discards_merged_total', 'constant', 0, 0],
  ['flush_requests_time_seconds_total', 'milliseconds', 0.02, 0.9],
  ['flush_requests_total', 'counter', 12, 0.9],
  ['info', 'constant', 0, 0],
  ['io_now', 'constant', 0, 0],
  ['io_time_seconds_total', 'milliseconds', 0.2, 1],
  ['io_time_weighted_seconds_total', 'milliseconds', 0.3, 1],
  ['read_bytes_total', 'counter', 80_000, 0.5],
  ['read_time_seconds_total', 'milliseconds', 0.02, 0.5],
  ['reads_completed_total', 'counter', 8, 0.5],
  ['reads_merged_total', 'counter', 1, 0.05],
  ['write_time_seconds_total', 'milliseconds', 0.3, 1],
  ['writes_completed_total', 'counter', 120, 1],
  ['writes_merged_total', 'counter', 60, 1],
  ['written_bytes_total', 'counter', 1_500_000, 1],
] as const

export const NET_CONSTANTS = (
  'address_assign_type carrier device_id dormant flags iface_id iface_link iface_link_mode info mtu_bytes ' +
  'name_assign_type net_dev_group protocol_type speed_bytes transmit_queue_length up'
).split(' ')

export const NET_COUNTERS = [
  ['carrier_changes_total', 0, 0],
  ['carrier_down_changes_total', 0, 0],
  ['carrier_up_changes_total', 0, 0],
  ['receive_bytes_total', 250_000, 1],
  ['receive_compressed_total', 0, 0],
  ['receive_drop_total', 1, 0.03],
  ['receive_errs_total', 0, 0],
  ['receive_fifo_total', 0, 0],
  ['receive_frame_total', 0, 0],
  ['receive_multicast_total', 2, 0.1],
  ['receive_nohandler_total', 0, 0],
  ['receive_packets_total', 400, 1],
  ['transmit_bytes_total', 180_000, 1],
  ['transmit_carrier_total', 0, 0],
  ['transmit_colls_total', 0, 0],
  ['transmit_compressed_total', 0, 0],
  ['transmit_drop_total', 0, 0],
  ['transmit_errs_total', 0, 0],
  ['transmit_fifo_total', 0, 0],
  ['transmit_packets_total', 350, 1],
] as const

export const FILE_SYSTEM = [
  ['avail_bytes', 'pages', 1],
  ['device_error', 'constant', 0],
  ['files', 'constant', 0],
  ['files_free', 'level', 0.3],
  ['free_bytes', 'pages', 1],
  ['mount_info', 'constant', 0],
  ['purgeable_bytes', 'constant', 0],
  ['readonly', 'constant', 0],
  ['size_bytes', 'constant', 0],
] as const

export const MEMORY: readonly (readonly [string, Motion, number, number])[] = [
  ...(
    'Active Active_anon Active_file AnonPages Buffers Cached Committed_AS Dirty Inactive Inactive_anon Inactive_file ' +
    'KernelStack Mapped MemAvailable MemFree PageTables SReclaimable SUnreclaim Slab VmallocUsed'
  )
    .split(' ')
    .map((field) => [`node_memory_${field}_bytes`, 'pages', 200, 0.9] as const),
  ...(
    'AnonHugePages Bounce CommitLimit DirectMap1G DirectMap2M DirectMap4k FileHugePages FilePmdMapped Hugepagesize ' +
    'Hugetlb MemTotal Mlocked NFS_Unstable Percpu Shmem ShmemHugePages ShmemPmdMapped SwapCached SwapFree SwapTotal ' +
    'Unevictable VmallocChunk VmallocTotal Writeback WritebackTmp Zswap Zswapped'
  )
    .split(' ')
    .map((field) => [`node_memory_${field}_bytes`, 'constant', 0, 0] as const),
]

export const COUNTERS = [
  ['node_context_switches_total', 40_000, 1],
  ['node_intr_total', 25_000, 1],
  ['node_forks_total', 30, 0.95],
  ['node_vmstat_pgfault', 20_000, 1],
  ['node_vmstat_pgmajfault', 2, 0.2],
  ['node_vmstat_pgpgin', 200, 0.5],
  ['node_vmstat_pgpgout', 3000, 1],
  ['node_vmstat_pswpin', 0, 0],
  ['node_vmstat_pswpout', 0, 0],
  ['node_vmstat_oom_kill', 0, 0],
  ['node_netstat_IpExt_InOctets', 300_000, 1],
  ['node_netstat_IpExt_OutOctets', 250_000, 1],
  ['node_netstat_Tcp_ActiveOpens', 6, 0.9],
  ['node_netstat_Tcp_PassiveOpens', 6, 0.9],
  ['node_netstat_Tcp_InSegs', 600, 1],
  ['node_netstat_Tcp_OutSegs', 650, 1],
  ['node_netstat_Tcp_OutRsts', 1, 0.2],
  ['node_netstat_Tcp_RetransSegs', 1, 0.1],
  ['node_netstat_TcpExt_TCPSynRetrans', 1, 0.05],
  ['node_netstat_TcpExt_TCPTimeouts', 1, 0.05],
  ['node_netstat_Udp_InDatagrams', 4, 0.6],
  ['node_netstat_Udp_OutDatagrams', 4, 0.6],
  ['node_netstat_Udp_NoPorts', 1, 0.02],
  ...(
    'Icmp6_InErrors Icmp6_InMsgs Icmp6_OutMsgs Icmp_InErrors Icmp_InMsgs Icmp_OutMsgs Ip6_InOctets Ip6_OutOctets ' +
    'TcpExt_ListenDrops TcpExt_ListenOverflows TcpExt_SyncookiesFailed TcpExt_SyncookiesRecv TcpExt_SyncookiesSent ' +
    'TcpExt_TCPOFOQueue TcpExt_TCPRcvQDrop Tcp_InErrs Udp6_InDatagrams Udp6_InErrors Udp6_NoPorts Udp6_OutDatagrams ' +
    'Udp6_RcvbufErrors Udp6_SndbufErrors UdpLite6_InErrors UdpLite_InErrors Udp_InErrors Udp_RcvbufErrors ' +
    'Udp_SndbufErrors'
  )
    .split(' ')
    .map((name) => [`node_netstat_${name}`, 0, 0] as const),
] as const

export const LEVELS = [
  'node_procs_running',
  'node_filefd_allocated',
  'node_sockstat_TCP_inuse',
  'node_sockstat_TCP_alloc',
  'node_sockstat_TCP_tw',
  'node_sockstat_sockets_used',
]

export const CONSTANTS = [
  ...(
    'FRAG6_inuse FRAG6_memory FRAG_inuse FRAG_memory RAW6_inuse RAW_inuse TCP6_inuse TCP_mem TCP_mem_bytes TCP_orphan ' +
    'UDP6_inuse UDPLITE6_inuse UDPLITE_inuse UDP_inuse UDP_mem UDP_mem_bytes'
  )
    .split(' ')
    .map((name) => `node_sockstat_${name}`),
  ...(
    'estimated_error_seconds frequency_adjustment_ratio loop_time_constant maxerror_seconds offset_seconds ' +
    'pps_calibration_total pps_error_total pps_frequency_hertz pps_jitter_seconds pps_jitter_total ' +
    'pps_stability_exceeded_total pps_stability_hertz status sync_status tai_offset_seconds tick_seconds'
  )
    .split(' ')
    .map((name) => `node_timex_${name}`),
  'node_boot_time_seconds',
  'node_entropy_available_bits',
  'node_entropy_pool_size_bits',
  'node_filefd_maximum',
  'node_nf_conntrack_entries_limit',
  'node_procs_blocked',
  'node_selinux_enabled',
  'node_textfile_scrape_error',
  'node_netstat_Ip_Forwarding',
  'node_netstat_Tcp_CurrEstab',
  'node_time_zone_offset_seconds',
]

export const GO_GAUGES = (
  'alloc_bytes heap_alloc_bytes heap_idle_bytes heap_inuse_bytes heap_objects heap_released_bytes stack_inuse_bytes ' +
  'sys_bytes'
)
  .split(' ')
  .map((name) => `go_memstats_${name}`)

export const COLLECTORS = (
  'arp bcache bonding btrfs conntrack cpu cpufreq diskstats dmi edac entropy fibrechannel filefd filesystem hwmon ' +
  'infiniband ipvs kernel_hung loadavg mdadm meminfo netclass netdev netstat nfs nfsd nvme os powersupplyclass ' +
  'pressure rapl schedstat selinux sockstat softnet stat tapestats textfile thermal_zone time timex udp_queues uname ' +
  'vmstat watchdog xfs zfs'
).split(' ')
