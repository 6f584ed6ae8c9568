/** What the firmware says the machine is. */
import { type Collector, family, NoDataError, type NodeContext } from './collector.ts'
import { openDirectory, readTrimmed } from './files.ts'

/** Labels are the names of the files; only `sys_vendor` has another. */
const LABELS = [
  ...['bios_date', 'bios_release', 'bios_vendor', 'bios_version', 'board_asset_tag', 'board_name', 'board_serial'],
  ...['board_vendor', 'board_version', 'chassis_asset_tag', 'chassis_serial', 'chassis_vendor', 'chassis_version'],
  ...['product_family', 'product_name', 'product_serial', 'product_sku', 'product_uuid', 'product_version'],
  'system_vendor',
]

/** Read once: it does not change while the system runs. Serial numbers are readable by root only, then left out. */
export function dmiCollector({ disk, sysfs }: NodeContext): Collector {
  const base = `${sysfs}/class/dmi/id`
  let labels: string[] | null = null
  return {
    name: 'dmi',
    update() {
      if (labels === null) {
        if (openDirectory(disk, base) === null) throw new NoDataError('the firmware offers no DMI')
        labels = LABELS.flatMap((label) => {
          const value = readTrimmed(disk, `${base}/${label === 'system_vendor' ? 'sys_vendor' : label}`)
          return value === null ? [] : [label, value]
        })
      }
      const help = `A metric with a constant '1' value labeled by ${LABELS.join(', ')} if provided by DMI.`
      return [family('gauge', 'dmi_info', help, [{ labels, value: 1 }])]
    },
  }
}
