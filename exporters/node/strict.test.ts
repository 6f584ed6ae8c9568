/** Files that are there and say what the kernel never does: the collector fails, as upstream's, and shows no NaN. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatExposition } from '../../protocol/exposition/mod.ts'
import { temporaryFolder, testEnv } from '../testing/env.ts'
import { createNodeExporter } from './mod.ts'

const NFS = 'device h:/x mounted on /x with fstype nfs statvers=1.1\n'

// As node_exporter 1.11 answers the same files.
const rows: readonly (readonly [collector: string, file: string, good: string, bad: readonly string[]])[] = [
  ['softirqs', 'softirqs', '  CPU0 CPU1\nHI: 3 4\n', ['  CPU0\nHI: -1\n', '  CPU0\nHI: 18446744073709551616\n']],
  ['kernel_hung', 'sys/kernel/hung_task_detect_count', '42\n', ['', '-1\n', '99999999999999999999999\n']],
  ['cgroups', 'cgroups', '#h\ncpu 5 47 1\n', ['cpu 5 x 1\n', 'cpu 5 47\n']],
  ['sockstat', 'net/sockstat', 'TCP: inuse -4\n', ['TCP: inuse 18446744073709551616\n', 'TCP: inuse 1.5\n']],
  ['netstat', 'net/netstat', 'A: b\nA: 1\n', ['A: b\nA: x\n', 'A: b\n A: 1 2\n']],
  ['vmstat', 'vmstat', 'oom_kill 1\nx 2\n', ['oom_kill\n', 'oom_kill 1\nfoo: bar\n']],
  ['softnet', 'net/softnet_stat', '1 2 3 0 0 0 0 0 a\n', ['1 2 3\n', '1 2 3 0 0 0 0 0 x\n']],
  [
    'udp_queues',
    'net/udp',
    'h\n 0: 00000000:0016 00000000:0000 0A 00000015:0000000F 00:00000000 00000000 0 0 2740 1 ffff88003d3af3c0 0\n',
    [
      'h\n0: a b 7 0:0\n',
      'h\n 0: 00000000:0016 00000000:0000 0A x:0000000F 00:00000000 00000000 0 0 2740 1 ffff88003d3af3c0 0\n',
      'h\n\n',
    ],
  ],
  ['buddyinfo', 'buddyinfo', 'Node 0, zone A 1 2\nNode 0, zone B 1 2\n', ['Node 0, zone A 1 2\nNode 0, zone B 1\n']],
  [
    'meminfo',
    'meminfo',
    'MemTotal: 5 kB\nHugePages_Free: 3\n',
    ['MemTotal: x kB\n', 'MemTotal: 5 MB\n', 'MemTotal:\n'],
  ],
  ['pressure', 'pressure/cpu', 'some avg10=0.00 avg60=0.00 avg300=0.10 total=14\n', ['', 'some avg10=0.00 total=14\n']],
  ['stat', 'stat', 'cpu 1 2\nintr 5 1 2\nctxt 7\n', ['ctxt x\n', 'intr 5 -1\n', 'cpu 1 x\n', 'softirq 1 2\n']],
  ['xfrm', 'net/xfrm_stat', 'XfrmInError 3\n', ['XfrmInError\n', 'XfrmInError x\n', '\nXfrmInError 3\n']],
  [
    'mountstats',
    'self/mountstats',
    `${NFS}\tage:\t7\n\txprt:\tudp 1 2 3 4 5 6 7 8 9 10\n\tper-op statistics\n\t NULL: 1 1 0 44 24 0 0 0\n\n`,
    [
      `${NFS}\tage:\tx\n`,
      `${NFS}\tbytes:\t1 2 3\n`,
      `${NFS}\tevents:\t1\n`,
      `${NFS}\txprt:\tudp 1 2\n`,
      `${NFS}\txprt:\ttcp 1 2 3 4 5 6 7 8 9 10 11 12 -1\n`,
      `${NFS}\tper-op statistics\n\t NULL: 1 1\n`,
      'device a mounted on /b with fstype ext4 statvers=1.1\n',
    ],
  ],
  ['loadavg', 'loadavg', '0.2 .3 4 1/2 3\n', ['0.2 0.3\n', '0.2 x 0.4\n']],
  ['filefd', 'sys/fs/file-nr', '1024\t0\t16\n', ['1024 0 16\n', '1024\t0\n', '1\t0\tx\n']],
  ['swap', 'swaps', 'h\n/dev/a partition 8 0 -2\n', ['h\n/dev/a partition 8 0\n', 'h\n/dev/a partition x 0 -2\n']],
  ['interrupts', 'interrupts', '  CPU0\n 0: 3 IO x\nERR: 0\n', ['', '  CPU0\n 0: x IO y\n']],
  ['lnstat', 'net/stat/a', 'b c\n1f 2\n', ['b c\n1g 2\n', 'b\n1 2\n']],
  [
    'nfs',
    'net/rpc/nfs',
    'net 1 2 3 4\nrpc 1 2 3\n',
    ['net 1 2 3\n', 'net 1 2 3 x\n', 'what 1\n', 'net 1 2 3 4\n\n', 'proc4 3 1 2\n'],
  ],
  ['nfsd', 'net/rpc/nfsd', 'th 8 0\nio 1 2\n', ['th 8\n', 'io 1\n', 'proc4 3 1 2 3\n', 'fh 1 2 3 4 -5\n']],
  [
    'mdadm',
    'mdstat',
    'md0 : active raid1 a[0] b[1]\n  8 blocks [2/2] [UU]\n\nunused devices: <none>\n',
    [
      'md0 : active raid1 a[0] b[1]\n  x blocks [2/2] [UU]\n\nunused\n',
      'md0 : active raid1 a[0] b[1]\n  8 blocks\n\nunused\n',
      'md0 : active raid1 a[0] b[1]\n  8 blocks [2/2] [UU]\n',
      'md0 : active raid1 a[0] b[1]\n  8 blocks [2/2] [UU]\n   recovery = x% (1/2) finish=1min speed=1K/sec\n\n',
    ],
  ],
  [
    'zfs',
    'spl/kstat/zfs/arcstats',
    '1 2\nname type data\nhits 4 7\nz 3 -7\n',
    ['name type data\nhits 4 -7\n', 'hits 4 7\n', '', 'name type data\nhits 3 x\n'],
  ],
  [
    'diskstats',
    'diskstats',
    '8 0 sda 1 2 3 4 5 6 7 8 9 10 11\n8 1 sda1 35486 0 35496 38030\n',
    ['8 0 sda 1 2 3 4 5 6 7 8 9 10 18446744073709551616\n', '8 0 sda 1 2 3 4 -5 6 7 8 9 10 11\n'],
  ],
]
for (const [collector, file, good, bad] of rows) {
  for (const [text, success] of [[good, 1] as const, ...bad.map((one) => [one, 0] as const)]) {
    test(`${collector} of ${JSON.stringify(text)} ${success ? 'is read' : 'fails'}`, async () => {
      const page = await pageOf({ [file]: text }, { [`collector.${collector}`]: 'true' })
      assert.ok(page.includes(`node_scrape_collector_success{collector="${collector}"} ${success}\n`), page)
      assert.doesNotMatch(page, / NaN$/m)
    })
  }
}

for (const [flag, text, success] of [
  ['include=a.b', '1 2', 1],
  ['include=a.b', '1 9223372036854775808', 0],
  ['include=a.b', '', 0],
  ['include=a.b:x', '1', 0],
  ['include=a.b:x,y', '1 2', 1],
  ['include=a.b:x', '1 2', 0],
  ['include-info=a.b', 'one', 1],
  ['include-info=a.b:x', 'one', 0],
  ['include-info=a.b:x', 'one two', 0],
  ['include-info=a.b:x,y', 'one two', 1],
] as const) {
  test(`sysctl ${flag} of "${text}" ${success ? 'is read' : 'fails'}`, async () => {
    const [name = '', value = ''] = flag.split('=')
    const page = await pageOf({ 'sys/a/b': text }, { 'collector.sysctl': 'true', [`collector.sysctl.${name}`]: value })
    assert.ok(page.includes(`node_scrape_collector_success{collector="sysctl"} ${success}\n`), page)
  })
}

test('lnstat of a network namespace that has no caches succeeds with nothing', async () => {
  const page = await pageOf({}, { 'collector.lnstat': 'true' })
  assert.match(page, /node_scrape_collector_success\{collector="lnstat"\} 1/)
  assert.doesNotMatch(page, /node_lnstat/)
})

test('conntrack shows what it read before the fault', async () => {
  const folder = 'sys/net/netfilter'
  const files = { [`${folder}/nf_conntrack_count`]: '123\n', [`${folder}/nf_conntrack_max`]: '65536\n' }
  const stat = 'entries found\n1 zz\n'
  const early = await pageOf({ ...files, [`${folder}/nf_conntrack_max`]: '-1\n' }, { 'collector.conntrack': 'true' })
  assert.match(early, /^node_nf_conntrack_entries 123$/m)
  assert.doesNotMatch(early, /nf_conntrack_entries_limit/)
  const page = await pageOf({ ...files, 'net/stat/nf_conntrack': stat }, { 'collector.conntrack': 'true' })
  assert.match(page, /^node_nf_conntrack_entries 123$/m)
  assert.match(page, /node_scrape_collector_success\{collector="conntrack"\} 0/)
  assert.doesNotMatch(page, /NaN/)
})

async function pageOf(files: Readonly<Record<string, string>>, flags: Readonly<Record<string, string>>) {
  const base = { 'self/mountinfo': '', 'net/snmp': 'Ip: a\nIp: 1\n', 'net/netstat': 'A: b\nA: 1\n' }
  const procfs = temporaryFolder({ ...base, ...files })
  const all = { 'path.procfs': procfs, 'collector.disable-defaults': 'true', ...flags }
  return formatExposition(await createNodeExporter({ ...testEnv, flags: all, version: 't' }).collect())
}

// As node_exporter's parser of text files, which is stricter than that of scrapes.
for (const [text, error] of [
  ['a{x="1"} 1\n', 0],
  ['a{x="1",} 1\n', 0],
  ['a{x="1",x="2"} 1\n', 1],
  ['a{__name__="b"} 1\n', 1],
  ['a 1 \n', 1],
  ['a 1\n  \n', 0],
  ['{"q.r"} 1\n', 1],
  ['a{"q r"="1"} 1\n', 1],
  ['# HELP a x\n# HELP a y\na 1\n', 1],
  ['a 1\n# TYPE a gauge\n', 1],
  ['# TYPE a gauge\n# TYPE a gauge\na 1\n', 1],
] as const) {
  test(`a text file of ${JSON.stringify(text)} ${error ? 'is refused' : 'is read'}`, async () => {
    const directory = temporaryFolder({ 'a.prom': text })
    const page = await pageOf({}, { 'collector.textfile': 'true', 'collector.textfile.directory': directory })
    assert.match(page, new RegExp(`^node_textfile_scrape_error ${error}$`, 'm'))
  })
}
