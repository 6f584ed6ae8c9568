/** Which reader reads the pages of a target. */
import { CustomBucketsSource } from './custom-buckets.ts'
import { PageReader } from './page-reader.ts'
import type { PageOptions, PageSource } from './page-source.ts'
import { ProtoPageReader } from './proto-reader.ts'

/** A fresh reader for pages of this kind; slots of one mean nothing to another. */
export function pageSource({ format, convertClassic = false }: PageOptions): PageSource {
  const inner = format === 'protobuf' ? new ProtoPageReader() : new PageReader()
  return convertClassic ? new CustomBucketsSource(inner) : inner
}
