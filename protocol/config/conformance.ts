/** Runs configuration cases (`config/cases.json` of the kit, or a file of the same format beside its `testdata/`). */
import { labelsToObject } from '../labels/mod.ts'
import { type ConfigFiles, loadPrometheusConfig } from './prometheus.ts'

export type ConfigCases = {
  readonly bad?: readonly { readonly file: string; readonly errorContains: string }[]
  readonly good?: readonly string[]
  readonly externalLabels?: readonly {
    readonly file: string
    readonly environment: Readonly<Record<string, string>>
    readonly expected: Readonly<Record<string, string>>
  }[]
}
export type CaseResult = { readonly name: string; readonly error: string | null }

/** `files` reads relative to the folder that holds `testdata/`. */
export function runConfigCases(data: ConfigCases, files: ConfigFiles): CaseResult[] {
  const load = (file: string, environment: Readonly<Record<string, string>> = {}) =>
    loadPrometheusConfig(files.readText(`testdata/${file}`), { file: `testdata/${file}`, files, environment })
  const out: CaseResult[] = []
  for (const { file, errorContains } of data.bad ?? []) {
    let error: string | null
    try {
      load(file)
      error = `loaded, want an error with: ${errorContains}`
    } catch (thrown) {
      const { message } = thrown as Error
      error = message.includes(errorContains) ? null : `got: ${message}\nwant: ${errorContains}`
    }
    out.push({ name: `bad ${file}`, error })
  }
  for (const file of data.good ?? []) out.push({ name: `good ${file}`, error: attempt(() => load(file)) })
  for (const { file, environment, expected } of data.externalLabels ?? []) {
    const error = attempt(() => {
      const got = labelsToObject(load(file, environment).global.externalLabels)
      for (const [name, value] of Object.entries(expected)) {
        if ((got[name] ?? '') !== value)
          throw new Error(`${name} is ${JSON.stringify(got[name])}, want ${JSON.stringify(value)}`)
      }
    })
    out.push({ name: `external labels ${JSON.stringify(environment)}`, error })
  }
  return out
}

function attempt(fn: () => void): string | null {
  try {
    fn()
    return null
  } catch (error) {
    return (error as Error).message
  }
}
