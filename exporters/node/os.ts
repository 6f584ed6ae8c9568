/** The distribution, from os-release. */
import type { MetricFamily } from '../../protocol/exposition/mod.ts'
import { type Collector, family, NoDataError, type NodeContext, single } from './collector.ts'
import { readOptional } from './files.ts'

const LABELS = [
  'build_id',
  'id',
  'id_like',
  'image_id',
  'image_version',
  'name',
  'pretty_name',
  'variant',
  'variant_id',
  'version',
  'version_codename',
  'version_id',
]

export function osCollector({ disk, rootfs }: NodeContext): Collector {
  const root = rootfs === '/' ? '' : rootfs
  return {
    name: 'os',
    update() {
      const text = readOptional(disk, `${root}/etc/os-release`) ?? readOptional(disk, `${root}/usr/lib/os-release`)
      if (text === null) throw new NoDataError('no os-release file found')
      const fields = parseRelease(text)
      const get = (name: string): string => fields.get(name.toUpperCase()) ?? ''
      const out: MetricFamily[] = [
        family(
          'gauge',
          'os_info',
          "A metric with a constant '1' value labeled by build_id, id, id_like, image_id, image_version, name, pretty_name, variant, variant_id, version, version_codename, version_id.",
          [{ labels: LABELS.flatMap((name) => [name, get(name)]), value: 1 }],
        ),
      ]
      const version = /^(\d+\.?\d*)/.exec(get('version_id'))
      if (version) {
        const labels = ['id', get('id'), 'id_like', get('id_like'), 'name', get('name')]
        out.push(
          family('gauge', 'os_version', 'Metric containing the major.minor part of the OS version.', [
            { labels, value: Number(version[1]) },
          ]),
        )
      }
      const end = Date.parse(get('support_end'))
      if (!Number.isNaN(end)) {
        out.push(
          single(
            'gauge',
            'os_support_end_timestamp_seconds',
            'Metric containing the end-of-life date timestamp of the OS.',
            end / 1000,
          ),
        )
      }
      return out
    },
  }
}

/** Shell-like `NAME="value"` lines. */
function parseRelease(text: string): Map<string, string> {
  const out = new Map<string, string>()
  for (const line of text.split('\n')) {
    const match = /^([A-Z0-9_]+)=(.*)$/.exec(line.trim())
    if (!match) continue
    const quoted = /^(["'])(.*)\1$/.exec(match[2]!)
    out.set(match[1]!, (quoted ? quoted[2]! : match[2]!).replace(/\\(["$`\\])/g, '$1'))
  }
  return out
}
