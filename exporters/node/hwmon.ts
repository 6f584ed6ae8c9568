/** Sensors of the hardware: temperatures, fans, voltages, currents, power. */
import { readGoFloat } from '../../protocol/exposition/mod.ts'
import { compileRegex } from '../../protocol/matchers/mod.ts'
import { stringFlag } from '../contract.ts'
import { type Collector, cleanName, FamilySet, NoDataError, type NodeContext, nameFilter } from './collector.ts'
import { baseName, listDirectory, openDirectory, readOptional, readTrimmed, realPath } from './files.ts'
import { sensorMetric } from './hwmon-units.ts'

const SENSOR_TYPES = new Set([
  ...['vrm', 'beep_enable', 'update_interval', 'in', 'cpu', 'fan', 'pwm', 'temp', 'curr', 'power', 'energy'],
  ...['humidity', 'intrusion', 'freq'],
])

/** Of one value, without properties. */
const PLAIN_TYPES = new Set(['vrm', 'beep_enable', 'update_interval'])

type Sensor = { readonly type: string; readonly properties: Map<string, string> }

export function hwmonCollector({ disk, sysfs, flags }: NodeContext): Collector {
  const base = `${sysfs}/class/hwmon`
  const flag = (name: string): string => stringFlag(flags, `collector.hwmon.${name}`, '')
  const chipWanted = nameFilter(flag('chip-include'), flag('chip-exclude'))
  const sensorInclude = flag('sensor-include') === '' ? null : compileRegex(flag('sensor-include'))
  const sensorExclude = flag('sensor-exclude') === '' ? null : compileRegex(flag('sensor-exclude'))
  /** Matched against `chip;sensor`. */
  const sensorWanted = (name: string): boolean =>
    (sensorInclude?.matcher(name).find() ?? true) && !(sensorExclude?.matcher(name).find() ?? false)
  return {
    name: 'hwmon',
    update() {
      const names = openDirectory(disk, base)
      if (names === null) throw new NoDataError('no hardware monitors')
      const out = new FamilySet()
      for (const name of names) {
        const folder = `${base}/${name}`
        if (!disk.stat(folder)?.isDirectory) continue
        const chip = chipId(disk, folder)
        if (!chipWanted(chip)) continue
        const chipName = cleanName(readTrimmed(disk, `${folder}/name`) ?? '')
        if (chipName !== '') {
          const help = 'Annotation metric for human-readable chip names'
          out.gauge('hwmon_chip_names', help, ['chip', chip, 'chip_name', chipName])
        }
        for (const [sensor, { type, properties }] of readSensors(disk, folder))
          if (sensorWanted(`${chip};${sensor}`)) describe(out, chip, sensor, type, properties)
      }
      return out.list()
    },
  }
}

type Disk = NodeContext['disk']

/**
 * Numbers of monitors depend on the order in which modules load, so the chip is called after its device
 * (`platform_coretemp_0`), with the monitor's own name after it where a device has several.
 */
function chipId(disk: Disk, folder: string): string {
  const name = cleanName(readTrimmed(disk, `${folder}/name`) ?? '')
  const device = realPath(disk, `${folder}/device`)
  if (device !== null) {
    const own = cleanName(baseName(device))
    const bus = cleanName(baseName(device.slice(0, device.lastIndexOf('/'))))
    const id = bus !== '' && own !== '' ? `${bus}_${own}` : own
    const siblings = listDirectory(disk, `${device}/hwmon`).length
    if (id !== '') return siblings > 1 && name !== '' ? `${id}_${name}` : id
  }
  if (name !== '') return name
  return cleanName(baseName(realPath(disk, folder) ?? folder))
}

/** Files `TYPE NUMBER _ PROPERTY` of the monitor and, for old drivers, of its device. */
function readSensors(disk: Disk, folder: string): Map<string, Sensor> {
  const out = new Map<string, Sensor>()
  for (const place of [folder, `${folder}/device`]) {
    for (const name of listDirectory(disk, place)) {
      const match = /^([^0-9]+)([0-9]*)(?:_(.+))?$/.exec(name)
      // Every device has a folder named power.
      if (!match || !SENSOR_TYPES.has(match[1]!) || name === 'power') continue
      const text = readOptional(disk, `${place}/${name}`)
      if (text === null) continue
      const value = text.replace(/^\n+|\n+$/g, '')
      const type = match[1]!
      const sensor = `${type}${Number(match[2] || 0)}`
      if (!out.has(sensor)) out.set(sensor, { type, properties: new Map() })
      out.get(sensor)!.properties.set(match[3] ?? '', value)
    }
  }
  return out
}

function describe(out: FamilySet, chip: string, sensor: string, type: string, properties: Map<string, string>): void {
  const label = properties.get('label')
  if (label !== undefined) {
    const labels = ['chip', chip, 'label', label, 'sensor', sensor]
    out.gauge('hwmon_sensor_label', 'Label for given chip and sensor', labels)
  }
  for (const [element, text] of properties) {
    if (element === 'label' || (PLAIN_TYPES.has(type) && element !== '')) continue
    // Whether the beeper is on, not how loud it is.
    const value = type === 'beep_enable' ? Number(text === '1') : readGoFloat(text)
    // What is no number is left out, as upstream; so is a clock that nobody names.
    if (
      typeof value === 'string' ||
      Number.isNaN(value) ||
      (type === 'freq' && element === 'input' && label === undefined)
    )
      continue
    const metric = sensorMetric(type, element, value, properties.has(''))
    // Graphics cards name their clocks (sclk, mclk) in the label.
    const shown = type === 'freq' && element === 'input' ? cleanName(label!) : sensor
    out.add(metric.type, `hwmon_${metric.name}`, metric.help, ['chip', chip, 'sensor', shown], metric.value)
  }
}
