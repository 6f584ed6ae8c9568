/** The kit's blackbox cases: files of modules that load or do not, what a header accepts, names and helps of metrics. */
import { type CaseResult, caseOf, expectEqual } from '../cases.ts'
import { acceptsCompression } from './accept-encoding.ts'
import { loadBlackboxConfig } from './config.ts'
import { PROBE_METRICS } from './page.ts'

type Cases = {
  readonly good: readonly string[]
  readonly bad: readonly { readonly file: string; readonly error: string }[]
  readonly acceptEncoding: readonly {
    readonly name: string
    readonly compression: string
    readonly acceptEncoding: string
    readonly acceptable: boolean
  }[]
}
type Metrics = {
  readonly metrics: Readonly<
    Record<
      string,
      readonly { readonly name: string; readonly help: string; readonly labels?: readonly string[] | object }[]
    >
  >
}

/** @param readText a file of `exporters/blackbox` by its name */
export async function runBlackboxCases(readText: (name: string) => string): Promise<CaseResult[]> {
  const { good, bad, acceptEncoding } = JSON.parse(readText('config.json')) as Cases
  const { metrics } = JSON.parse(readText('metrics.json')) as Metrics
  const out: CaseResult[] = []
  const load = (file: string): string => {
    try {
      loadBlackboxConfig(readText(`config/${file}`), file)
      return ''
    } catch (error) {
      return (error as Error).message
    }
  }
  for (const file of good) out.push(await caseOf(`config ${file}`, () => expectEqual(load(file), '')))
  for (const { file, error } of bad) out.push(await caseOf(`config ${file}`, () => expectEqual(load(file), error)))
  for (const { name, compression, acceptEncoding: header, acceptable } of acceptEncoding)
    out.push(
      await caseOf(`Accept-Encoding ${name}: ${header} for ${compression}`, () =>
        expectEqual(acceptsCompression(compression, header), acceptable),
      ),
    )
  for (const [part, list] of Object.entries(metrics))
    for (const { name, help, labels } of list)
      out.push(
        await caseOf(`metric ${part} ${name}`, () => {
          const known = PROBE_METRICS[name as keyof typeof PROBE_METRICS]
          expectEqual(known?.help, help)
          if (Array.isArray(labels)) expectEqual([...(known?.labels ?? [])].sort(), [...labels].sort())
        }),
      )
  return out
}
