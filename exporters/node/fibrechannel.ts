/** Fibre Channel host bus adapters. */
import { readUintLiteral } from './attributes.ts'
import { type Collector, FamilySet, NoDataError, type NodeContext } from './collector.ts'
import { openDirectory, readTrimmed } from './files.ts'

const INFO = [
  ...['dev_loss_tmo', 'fabric_name', 'fc_host', 'port_id', 'port_name', 'port_state', 'port_type', 'speed'],
  ...['supported_classes', 'supported_speeds', 'symbolic_name'],
]
/** Written `0x…`; shown without it. */
const HEXADECIMAL = ['fabric_name', 'port_id', 'port_name']

const COUNTERS: readonly (readonly [file: string, name: string, help: string])[] = [
  ['dumped_frames', 'dumped_frames_total', 'Number of dumped frames'],
  ['error_frames', 'error_frames_total', 'Number of errors in frames'],
  ['invalid_crc_count', 'invalid_crc_total', 'Invalid Cyclic Redundancy Check count'],
  ['rx_frames', 'rx_frames_total', 'Number of frames received'],
  ['rx_words', 'rx_words_total', 'Number of words received by host port'],
  ['tx_frames', 'tx_frames_total', 'Number of frames transmitted by host port'],
  ['tx_words', 'tx_words_total', 'Number of words transmitted by host port'],
  ['seconds_since_last_reset', 'seconds_since_last_reset_total', 'Number of seconds since last host port reset'],
  ['invalid_tx_word_count', 'invalid_tx_words_total', 'Number of invalid words transmitted by host port'],
  ['link_failure_count', 'link_failure_total', 'Number of times the host port link has failed'],
  ['loss_of_sync_count', 'loss_of_sync_total', 'Number of failures on either bit or transmission word boundaries'],
  ['loss_of_signal_count', 'loss_of_signal_total', 'Number of times signal has been lost'],
  ['nos_count', 'nos_total', 'Number Not_Operational Primitive Sequence received by host port'],
  ['fcp_packet_aborts', 'fcp_packet_aborts_total', 'Number of aborted packets'],
]
/** All bits set: the adapter does not count this. */
const UNSUPPORTED = Number(2n ** 64n - 1n)

export function fibrechannelCollector({ disk, sysfs }: NodeContext): Collector {
  const base = `${sysfs}/class/fc_host`
  return {
    name: 'fibrechannel',
    update() {
      const hosts = openDirectory(disk, base)
      if (hosts === null) throw new NoDataError('no Fibre Channel adapter')
      const out = new FamilySet()
      for (const host of hosts) {
        const info = INFO.flatMap((name) => {
          if (name === 'fc_host') return [name, host]
          const value = readTrimmed(disk, `${base}/${host}/${name}`) ?? ''
          return [name, HEXADECIMAL.includes(name) && value.length > 2 ? value.slice(2) : value]
        })
        out.gauge('fibrechannel_info', 'Non-numeric data from /sys/class/fc_host/<host>, value is always 1.', info)
        for (const [file, name, help] of COUNTERS) {
          const value = readUintLiteral(disk, `${base}/${host}/statistics/${file}`)
          if (value === null || value === UNSUPPORTED) continue
          out.counter(`fibrechannel_${name}`, help, ['fc_host', host], value)
        }
      }
      return out.list()
    },
  }
}
