/** Traffic of each network device, in the columns of /proc/net/dev. */
import type { Metric } from '../../protocol/exposition/mod.ts'
import { stringFlag } from '../contract.ts'
import { type Collector, family, type NodeContext, nameFilter } from './collector.ts'
import { readOptional } from './files.ts'

export function netdevCollector({ disk, procfs, sysfs, flags }: NodeContext): Collector {
  const keep = nameFilter(
    stringFlag(flags, 'collector.netdev.device-include', ''),
    stringFlag(flags, 'collector.netdev.device-exclude', ''),
  )
  return {
    name: 'netdev',
    update() {
      const file = `${procfs}/net/dev`
      const [, header = '', ...lines] = disk.readText(file).split('\n')
      const [, receive, transmit] = header.split('|')
      if (receive === undefined || transmit === undefined)
        throw new Error(`Cannot read ${file}: no header with receive and transmit columns`)
      const columns = [...names('receive', receive), ...names('transmit', transmit)]
      const byColumn = new Map<string, Metric[]>(columns.map((column) => [column, []]))
      const noHandler: Metric[] = []
      for (const line of lines) {
        const match = /^\s*(.+?):\s*(.*)$/.exec(line)
        if (!match || !keep(match[1]!)) continue
        const device = match[1]!
        const values = match[2]!.trim().split(/\s+/)
        columns.forEach((column, i) => {
          byColumn.get(column)!.push({ labels: ['device', device], value: Number(values[i]) })
        })
        const dropped = readOptional(disk, `${sysfs}/class/net/${device}/statistics/rx_nohandler`)
        if (dropped !== null) noHandler.push({ labels: ['device', device], value: Number(dropped) })
      }
      byColumn.set('receive_nohandler', noHandler)
      return [...byColumn].map(([column, metrics]) =>
        family('counter', `network_${column}_total`, `Network device statistic ${column}.`, metrics),
      )
    },
  }
}

function names(direction: string, columns: string): string[] {
  return columns
    .trim()
    .split(/\s+/)
    .map((column) => `${direction}_${column}`)
}
