/**
 * Names of PCI devices from a `pci.ids` file: vendors, two spaces and the name; below them, with one tab, devices; with
 * two, subsystems. Lines `C ID` hold classes with subclasses and interfaces below them in the same way.
 */
export class PciNames {
  readonly #names = new Map<string, string>()

  constructor(text: string) {
    let top = ''
    let second = ''
    for (const line of text.split('\n')) {
      if (line.startsWith('#') || line.trim() === '') continue
      const depth = line.startsWith('\t\t') ? 2 : line.startsWith('\t') ? 1 : 0
      const gap = line.indexOf('  ', depth)
      if (gap < 0) continue
      const id = line.slice(depth, gap).trim()
      const name = line.slice(gap).trim()
      if (depth === 0) top = id
      if (depth === 1) second = id
      const key = depth === 0 ? [id] : depth === 1 ? [top, id] : [top, second, ...id.split(' ')]
      this.#names.set(key.join('/'), name)
    }
  }

  /** IDs are four hexadecimal digits; those without a name stand for themselves. */
  vendor(vendor: string): string {
    return this.#names.get(vendor) ?? vendor
  }

  device(vendor: string, device: string): string {
    return this.#names.get(`${vendor}/${device}`) ?? device
  }

  subsystem(vendor: string, device: string, subVendor: string, subDevice: string): string {
    return this.#names.get(`${vendor}/${device}/${subVendor}/${subDevice}`) ?? subDevice
  }

  /** @param id six hexadecimal digits: class, subclass, interface; the most exact name that is known wins */
  className(id: string): string {
    const [base, sub, face] = [id.slice(0, 2), id.slice(2, 4), id.slice(4, 6)]
    return (
      this.#names.get(`C ${base}/${sub}/${face}`) ??
      this.#names.get(`C ${base}/${sub}`) ??
      this.#names.get(`C ${base}`) ??
      `Unknown class (${id})`
    )
  }
}
