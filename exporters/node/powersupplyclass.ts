/** Batteries and mains adapters. */
import { compileRegex } from '../../protocol/matchers/mod.ts'
import { stringFlag } from '../contract.ts'
import { readIntLiteral } from './attributes.ts'
import { type Collector, FamilySet, NoDataError, type NodeContext } from './collector.ts'
import { listDirectory, openDirectory, readTrimmed } from './files.ts'

/** As the kernel counts them. */
const PLAIN: readonly (readonly [file: string, name: string])[] = [
  ['authentic', 'authentic'],
  ['calibrate', 'calibrate'],
  ['capacity', 'capacity'],
  ['capacity_alert_max', 'capacity_alert_max'],
  ['capacity_alert_min', 'capacity_alert_min'],
  ['cycle_count', 'cyclecount'],
  ['online', 'online'],
  ['present', 'present'],
  ['time_to_empty_now', 'time_to_empty_seconds'],
  ['time_to_full_now', 'time_to_full_seconds'],
]
/** In millionths. */
const MICRO: readonly (readonly [file: string, name: string])[] = [
  ['current_boot', 'current_boot'],
  ['current_max', 'current_max'],
  ['current_now', 'current_ampere'],
  ['energy_empty', 'energy_empty'],
  ['energy_empty_design', 'energy_empty_design'],
  ['energy_full', 'energy_full'],
  ['energy_full_design', 'energy_full_design'],
  ['energy_now', 'energy_watthour'],
  ['voltage_boot', 'voltage_boot'],
  ['voltage_max', 'voltage_max'],
  ['voltage_max_design', 'voltage_max_design'],
  ['voltage_min', 'voltage_min'],
  ['voltage_min_design', 'voltage_min_design'],
  ['voltage_now', 'voltage_volt'],
  ['voltage_ocv', 'voltage_ocv'],
  ['charge_control_limit', 'charge_control_limit'],
  ['charge_control_limit_max', 'charge_control_limit_max'],
  ['charge_counter', 'charge_counter'],
  ['charge_empty', 'charge_empty'],
  ['charge_empty_design', 'charge_empty_design'],
  ['charge_full', 'charge_full'],
  ['charge_full_design', 'charge_full_design'],
  ['charge_now', 'charge_ampere'],
  ['charge_term_current', 'charge_term_current'],
  ['constant_charge_current', 'constant_charge_current'],
  ['constant_charge_current_max', 'constant_charge_current_max'],
  ['constant_charge_voltage', 'constant_charge_voltage'],
  ['constant_charge_voltage_max', 'constant_charge_voltage_max'],
  ['precharge_current', 'precharge_current'],
  ['input_current_limit', 'input_current_limit'],
  ['power_now', 'power_watt'],
]
/** In tenths of a degree. */
const DECI: readonly (readonly [file: string, name: string])[] = [
  ['temp', 'temp_celsius'],
  ['temp_alert_max', 'temp_alert_max_celsius'],
  ['temp_alert_min', 'temp_alert_min_celsius'],
  ['temp_ambient', 'temp_ambient_celsius'],
  ['temp_ambient_max', 'temp_ambient_max_celsius'],
  ['temp_ambient_min', 'temp_ambient_min_celsius'],
  ['temp_max', 'temp_max_celsius'],
  ['temp_min', 'temp_min_celsius'],
]
const UNITS = [
  [PLAIN, 1],
  [MICRO, 1e6],
  [DECI, 10],
] as const
/** Sorted; `power_supply` is the name of the folder. */
const INFO = [
  ...['capacity_level', 'charge_type', 'health', 'manufacturer', 'model_name', 'power_supply', 'scope'],
  ...['serial_number', 'status', 'technology', 'type', 'usb_type'],
]

export function powersupplyclassCollector({ disk, sysfs, flags }: NodeContext): Collector {
  const base = `${sysfs}/class/power_supply`
  const ignored = compileRegex(stringFlag(flags, 'collector.powersupply.ignored-supplies', '^$'))
  return {
    name: 'powersupplyclass',
    update() {
      const supplies = openDirectory(disk, base)
      if (supplies === null) throw new NoDataError('no power supply')
      const out = new FamilySet()
      for (const supply of supplies)
        if (!ignored.matcher(supply).find()) describe(disk, out, `${base}/${supply}`, supply)
      return out.list()
    },
  }
}

function describe(disk: NodeContext['disk'], out: FamilySet, folder: string, supply: string): void {
  const present = new Set(listDirectory(disk, folder))
  for (const [files, divisor] of UNITS) {
    for (const [file, name] of files) {
      const value = present.has(file) ? readIntLiteral(disk, `${folder}/${file}`) : null
      if (value === null) continue
      const help = `${name} value of /sys/class/power_supply/<power_supply>.`
      out.gauge(`power_supply_${name}`, help, ['power_supply', supply], value / divisor)
    }
  }
  // Labels without a value are left out, so their number differs between supplies.
  const labels = INFO.flatMap((name) => {
    const value = name === 'power_supply' ? supply : present.has(name) ? readTrimmed(disk, `${folder}/${name}`) : ''
    return value ? [name, value] : []
  })
  out.gauge('power_supply_info', 'info of /sys/class/power_supply/<power_supply>.', labels)
}
