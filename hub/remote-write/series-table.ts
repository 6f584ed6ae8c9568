/** Labels by ref, in a head without samples: 143 bytes a series, none of them on the JavaScript heap. */
import type { Labels } from '../../protocol/labels/mod.ts'
import { createHead, type Head, openReader, type ReaderShare, type SeriesReader } from '../tsdb/mod.ts'

export class SeriesTable {
  readonly #head: Head = createHead({ maxExemplars: 0, maxMetadataFamilies: 0 })
  #share: ReaderShare = this.#head.share()
  #reader: SeriesReader = openReader(this.#share)
  #isPublished = true
  size = 0

  constructor() {
    // Those of the head whose log it is were asked.
    this.#head.hasLimits = false
  }

  /** The ref of the series, new or not; refs count from 0. */
  add(labels: Labels): number {
    const ref = this.#head.series(labels)
    if (ref < 0) throw new Error('no memory for more series')
    if (ref >= this.size) {
      this.size = ref + 1
      this.#isPublished = false
    }
    return ref
  }

  labels(ref: number): Labels {
    if (!this.#isPublished) this.#publish()
    return this.#reader.labels(ref)
  }

  #publish(): void {
    this.#head.publish()
    this.#isPublished = true
    const share = this.#head.share()
    if (share.pages.length === this.#share.pages.length) return
    this.#share = share
    this.#reader.release()
    this.#reader = openReader(share)
  }
}
