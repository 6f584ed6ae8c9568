/** The pages of a head as one address space of 32-bit words; the same object serves the writer and the readers. */
import { C_PAGES, PAGE_MASK, PAGE_SHIFT, SLOT_WORDS } from './layout.ts'

type Shared32 = Uint32Array<SharedArrayBuffer>

/** Views by slot. Hot paths take a slot's view once (`u32[addr >>> PAGE_SHIFT]`) and index it by `addr & PAGE_MASK`. */
export class Memory {
  readonly control: Shared32
  readonly controlF64: Float64Array<SharedArrayBuffer>
  readonly pages: SharedArrayBuffer[] = []
  readonly u32: Shared32[] = []
  readonly u8: Uint8Array<SharedArrayBuffer>[] = []
  readonly f64: Float64Array<SharedArrayBuffer>[] = []
  readonly views: DataView<SharedArrayBuffer>[] = []

  constructor(control: SharedArrayBuffer, pages: readonly SharedArrayBuffer[]) {
    this.control = new Uint32Array(control)
    this.controlF64 = new Float64Array(control)
    this.addPages(pages)
  }

  /** Takes over the pages that it does not know yet; `pages` is the whole list, in order. */
  addPages(pages: readonly SharedArrayBuffer[]): void {
    for (let i = this.pages.length; i < pages.length; i++) this.addPage(pages[i]!)
  }

  addPage(page: SharedArrayBuffer): void {
    this.pages.push(page)
    const slotBytes = SLOT_WORDS * 4
    for (let from = 0; from < page.byteLength; from += slotBytes) {
      const bytes = Math.min(slotBytes, page.byteLength - from)
      this.u32.push(new Uint32Array(page, from, bytes >>> 2))
      this.u8.push(new Uint8Array(page, from, bytes))
      this.f64.push(new Float64Array(page, from, bytes >>> 3))
      this.views.push(new DataView(page, from, bytes))
    }
  }

  get(addr: number): number {
    return this.u32[addr >>> PAGE_SHIFT]![addr & PAGE_MASK]!
  }

  set(addr: number, value: number): void {
    this.u32[addr >>> PAGE_SHIFT]![addr & PAGE_MASK] = value
  }

  /** Pairs with `publish`: what was written before the store is visible after this load. */
  load(addr: number): number {
    return Atomics.load(this.u32[addr >>> PAGE_SHIFT]!, addr & PAGE_MASK)
  }

  publish(addr: number, value: number): void {
    Atomics.store(this.u32[addr >>> PAGE_SHIFT]!, addr & PAGE_MASK, value)
  }

  /** `addr` is even; `index` counts doubles from it. */
  getF64(addr: number, index: number): number {
    return this.f64[addr >>> PAGE_SHIFT]![((addr & PAGE_MASK) >>> 1) + index]!
  }

  setF64(addr: number, index: number, value: number): void {
    this.f64[addr >>> PAGE_SHIFT]![((addr & PAGE_MASK) >>> 1) + index] = value
  }

  get existingPages(): number {
    return Atomics.load(this.control, C_PAGES)
  }

  /** True when the writer has made pages that this view lacks. */
  get isStale(): boolean {
    return this.existingPages > this.pages.length
  }
}
