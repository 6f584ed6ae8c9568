/** PCI devices: what they are, their links, power and virtual functions. */
import { booleanFlag, stringFlag } from '../contract.ts'
import { readIntLiteral } from './attributes.ts'
import { type Collector, FamilySet, NoDataError, type NodeContext } from './collector.ts'
import { floatOf, intOf, openDirectory, readOptional, readTrimmed, realPath, uintOf } from './files.ts'
import { PciNames } from './pci-ids.ts'

const IDS_FILES = ['/usr/share/misc/pci.ids', '/usr/share/hwdata/pci.ids']
const POWER_STATES = ['D0', 'D1', 'D2', 'D3hot', 'D3cold', 'unknown', 'error']
const GIGA = 1e9

/** @returns null for what is not known. @throws Error naming the file */
type Reader = (text: string, file: string) => number | null

/** `8.0 GT/s PCIe`, or `Unknown`. */
const linkSpeed: Reader = (text, file) => {
  if (text.startsWith('Unknown')) return null
  if (!text.endsWith(SPEED_UNIT)) throw new Error(`Cannot read ${file}: "NUMBER${SPEED_UNIT}" expected, got "${text}"`)
  return floatOf(text.slice(0, -SPEED_UNIT.length), file) * GIGA
}
const SPEED_UNIT = ' GT/s PCIe'
const linkWidth: Reader = (text, file) => (text.startsWith('Unknown') ? null : intOf(text, file))
const flag: Reader = (text, file) => (intOf(text, file) === 0 ? 0 : 1)

/** `absent` is what upstream shows for a device without the file. */
const NUMBERS: readonly (readonly [file: string, name: string, help: string, read: Reader, absent: number])[] = [
  [
    'max_link_speed',
    'max_link_transfers_per_second',
    "Value of maximum link's transfers per second (T/s)",
    linkSpeed,
    -1,
  ],
  ['max_link_width', 'max_link_width', "Value of maximum link's width (number of lanes)", linkWidth, -1],
  [
    'current_link_speed',
    'current_link_transfers_per_second',
    "Value of current link's transfers per second (T/s)",
    linkSpeed,
    -1,
  ],
  ['current_link_width', 'current_link_width', "Value of current link's width (number of lanes)", linkWidth, -1],
  ['d3cold_allowed', 'd3cold_allowed', 'Whether the PCIe device supports D3cold power state (0/1).', flag, 0],
  [
    'sriov_drivers_autoprobe',
    'sriov_drivers_autoprobe',
    'Whether SR-IOV drivers autoprobe is enabled for the device (0/1).',
    flag,
    0,
  ],
  ['sriov_numvfs', 'sriov_numvfs', 'Number of Virtual Functions (VFs) currently enabled for SR-IOV.', uintOf, 0],
  ['sriov_totalvfs', 'sriov_totalvfs', 'Total number of Virtual Functions (VFs) supported by the device.', uintOf, 0],
  ['sriov_vf_total_msix', 'sriov_vf_total_msix', 'Total number of MSI-X vectors for Virtual Functions.', uintOf, 0],
]

export function pcideviceCollector({ disk, sysfs, flags, log }: NodeContext): Collector {
  const base = `${sysfs}/bus/pci/devices`
  const names = booleanFlag(flags, 'collector.pcidevice.names', false) ? loadNames() : null

  function loadNames(): PciNames {
    const given = stringFlag(flags, 'collector.pcidevice.idsfile', '')
    for (const file of given === '' ? IDS_FILES : [given]) {
      const text = readOptional(disk, file)
      if (text !== null) return new PciNames(text)
    }
    log.warn('No pci.ids file can be read: PCI devices keep their numbers', { file: given || IDS_FILES.join(', ') })
    return new PciNames('')
  }

  return {
    name: 'pcidevice',
    update() {
      const devices = openDirectory(disk, base)
      if (devices === null) throw new NoDataError('no PCI bus')
      const out = new FamilySet()
      for (const location of devices) device(disk, out, base, location, names)
      return out.list()
    },
  }
}

function device(
  disk: NodeContext['disk'],
  out: FamilySet,
  base: string,
  location: string,
  names: PciNames | null,
): void {
  const place = parseLocation(location)
  if (place === null) return
  const folder = `${base}/${location}`
  const labels = ['bus', place.bus, 'device', place.device, 'function', place.function, 'segment', place.segment]
  const id = (file: string, digits: number): string =>
    (readIntLiteral(disk, `${folder}/${file}`) ?? 0).toString(16).padStart(digits, '0')
  out.gauge(
    'pcidevice_info',
    'Non-numeric data from /sys/bus/pci/devices/<location>, value is always 1.',
    infoLabels(place, parentOf(disk, folder), id, names),
  )
  for (const [file, name, help, read, absent] of NUMBERS) {
    const text = readTrimmed(disk, `${folder}/${file}`) ?? ''
    const value = text === '' ? null : read(text, `${folder}/${file}`)
    out.gauge(`pcidevice_${name}`, help, labels, value ?? absent)
  }
  const power = readTrimmed(disk, `${folder}/power_state`) ?? ''
  for (const state of power === '' ? [] : POWER_STATES) {
    const help = 'PCIe device power state, one of: D0, D1, D2, D3hot, D3cold, unknown or error.'
    out.gauge('pcidevice_power_state', help, [...labels, 'state', state], state === power ? 1 : 0)
  }
  const node = readTrimmed(disk, `${folder}/numa_node`) ?? ''
  const numa = node === '' || node.startsWith('Unknown') ? -1 : intOf(node, `${folder}/numa_node`)
  if (numa !== -1) {
    const help = 'NUMA node number for the PCI device. -1 indicates unknown or not available.'
    out.gauge('pcidevice_numa_node', help, labels, numa)
  }
}

type Location = { readonly segment: string; readonly bus: string; readonly device: string; readonly function: string }
const NO_PARENT: Location = { segment: '*', bus: '*', device: '*', function: '*' }

/** `0000:01:00.0`. */
function parseLocation(text: string): Location | null {
  const match = /^([0-9a-f]{4,}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-9a-f])$/.exec(text)
  return match ? { segment: match[1]!, bus: match[2]!, device: match[3]!, function: match[4]! } : null
}

/** The folder in which the device's own is; devices of the root bus have none. */
function parentOf(disk: NodeContext['disk'], folder: string): Location {
  return parseLocation(realPath(disk, folder)?.split('/').at(-2) ?? '') ?? NO_PARENT
}

function infoLabels(
  place: Location,
  parent: Location,
  id: (file: string, digits: number) => string,
  names: PciNames | null,
): string[] {
  const class_ = id('class', 6)
  const vendor = id('vendor', 4)
  const device = id('device', 4)
  const subVendor = id('subsystem_vendor', 4)
  const subDevice = id('subsystem_device', 4)
  const named = (label: string, name: () => string): string[] => (names ? [label, name()] : [])
  return [
    ...['bus', place.bus, 'class_id', `0x${class_}`],
    ...named('class_name', () => names!.className(class_)),
    ...['device', place.device, 'device_id', `0x${device}`],
    ...named('device_name', () => names!.device(vendor, device)),
    ...['function', place.function, 'parent_bus', parent.bus, 'parent_device', parent.device],
    ...['parent_function', parent.function, 'parent_segment', parent.segment],
    ...['revision', `0x${id('revision', 2)}`, 'segment', place.segment, 'subsystem_device_id', `0x${subDevice}`],
    ...named('subsystem_device_name', () => names!.subsystem(vendor, device, subVendor, subDevice)),
    ...['subsystem_vendor_id', `0x${subVendor}`],
    ...named('subsystem_vendor_name', () => names!.vendor(subVendor)),
    ...['vendor_id', `0x${vendor}`],
    ...named('vendor_name', () => names!.vendor(vendor)),
  ]
}
