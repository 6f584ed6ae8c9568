/** What the kernel says about each vulnerability of the CPU. */
import { type Collector, FamilySet, NoDataError, type NodeContext } from './collector.ts'
import { openDirectory, readTrimmed, words } from './files.ts'

const HELP =
  'Details of each CPU vulnerability reported by sysfs. The value of the series is an int encoded state of the vulnerability. The same state is stored as a string in the label'

export function cpuVulnerabilitiesCollector({ disk, sysfs }: NodeContext): Collector {
  const base = `${sysfs}/devices/system/cpu/vulnerabilities`
  return {
    name: 'cpu_vulnerabilities',
    update() {
      const names = openDirectory(disk, base)
      if (names === null) throw new NoDataError('the kernel does not report CPU vulnerabilities')
      const out = new FamilySet()
      for (const codename of names) {
        const { state, mitigation } = parseVulnerability(readTrimmed(disk, `${base}/${codename}`) ?? '')
        out.gauge('cpu_vulnerabilities_info', HELP, ['codename', codename, 'mitigation', mitigation, 'state', state])
      }
      return out.list()
    },
  }
}

/**
 * `Not affected`, or `Vulnerable…`, `Mitigation: WHAT`, `Unknown…` with what follows the first word; anything else is
 * `unknown` as a whole.
 */
function parseVulnerability(text: string): { readonly state: string; readonly mitigation: string } {
  if (/^not affected/i.test(text)) return { state: 'not affected', mitigation: '' }
  const state = /^(?:vulnerable|mitigation|unknown)/i.exec(text)?.[0].toLowerCase()
  if (state === undefined) return { state: 'unknown', mitigation: text }
  return { state, mitigation: words(text).slice(1).join(' ') }
}
