/**
 * Traffic of each network device: the columns of /proc/net/dev, or, where the details are wanted, every statistic that
 * sysfs has of it. Both are what the kernel also tells over netlink.
 */
import { booleanFlag } from '../contract.ts'
import { type Collector, FamilySet, includeOrExclude, kernelOf, type NodeContext } from './collector.ts'
import { listDirectory, readNumber, readTrimmed } from './files.ts'
import { addAddresses } from './net-address.ts'

export function netdevCollector(context: NodeContext): Collector {
  const { disk, procfs, sysfs, flags } = context
  const keep = includeOrExclude(flags, 'collector.netdev.device')
  const detailed = booleanFlag(flags, 'collector.netdev.enable-detailed-metrics', false)
  const withAlias = booleanFlag(flags, 'collector.netdev.label-ifalias', false)
  const withAddresses = booleanFlag(flags, 'collector.netdev.address-info', false)
  const folder = (device: string): string => `${sysfs}/class/net/${device}`
  const labelsOf = (device: string): string[] =>
    withAlias ? ['device', device, 'ifalias', readTrimmed(disk, `${folder(device)}/ifalias`) ?? ''] : ['device', device]
  return {
    name: 'netdev',
    update() {
      const out = new FamilySet()
      const { columns, rows } = parseTable(disk.readText(`${procfs}/net/dev`), `${procfs}/net/dev`)
      for (const { device, values } of rows) {
        if (!keep(device)) continue
        const labels = labelsOf(device)
        const put = (statistic: string, value: number): void =>
          out.counter(`network_${statistic}_total`, `Network device statistic ${statistic}.`, labels, value)
        if (detailed) {
          for (const file of listDirectory(disk, `${folder(device)}/statistics`)) {
            const value = readNumber(disk, `${folder(device)}/statistics/${file}`)
            if (value !== null) put(file.replace(/^rx_/, 'receive_').replace(/^tx_/, 'transmit_'), value)
          }
          continue
        }
        columns.forEach((column, i) => {
          put(column, Number(values[i]))
        })
        const noHandler = readNumber(disk, `${folder(device)}/statistics/rx_nohandler`)
        if (noHandler !== null) put('receive_nohandler', noHandler)
      }
      if (withAddresses) addAddresses(out, kernelOf(context), keep)
      return out.list()
    },
  }
}

type Table = {
  readonly columns: readonly string[]
  readonly rows: readonly { readonly device: string; readonly values: readonly string[] }[]
}

/** Two header lines, the second with `|` around the columns for each direction; then `DEVICE: numbers…`. */
function parseTable(text: string, file: string): Table {
  const [, header = '', ...lines] = text.split('\n')
  const [, receive, transmit] = header.split('|')
  if (receive === undefined || transmit === undefined)
    throw new Error(`Cannot read ${file}: no header with receive and transmit columns`)
  return {
    columns: [...names('receive', receive), ...names('transmit', transmit)],
    rows: lines.flatMap((line) => {
      const match = /^\s*(.+?):\s*(.*)$/.exec(line)
      return match ? [{ device: match[1]!, values: match[2]!.trim().split(/\s+/) }] : []
    }),
  }
}

function names(direction: string, columns: string): string[] {
  return columns
    .trim()
    .split(/\s+/)
    .map((column) => `${direction}_${column}`)
}
