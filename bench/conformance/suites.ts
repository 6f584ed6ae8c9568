/** Every suite of the conformance kit that has production code, by name. */
import fs from 'node:fs'
import path from 'node:path'
import { runConfigCases } from '../../protocol/config/conformance.ts'
import { runRelabelCases } from '../../protocol/relabel/conformance.ts'

export type CaseResult = { readonly name: string; readonly error: string | null }
/** `paths`: files or folders; a folder stands for the suite's files in it. */
export type Suite = (paths: readonly string[]) => Promise<CaseResult[]>

const ROOT = path.resolve(import.meta.dirname, '../..')
const KIT = process.env['HELIO_CONFORMANCE'] ?? path.resolve(ROOT, '../shared/conformance')

/** null where the kit is absent. */
export function kitFolder(suite: string): readonly string[] | null {
  const folder = path.join(KIT, suite)
  return fs.existsSync(folder) ? [folder] : null
}

const readJson = (file: string) => JSON.parse(fs.readFileSync(file, 'utf8'))
const inside = (given: string, name: string): string =>
  fs.statSync(given).isDirectory() ? path.join(given, name) : given

export const SUITES: Readonly<Record<string, Suite>> = {
  relabel: async (paths) => paths.flatMap((given) => runRelabelCases(readJson(inside(given, 'cases.json')))),
  config: async (paths) =>
    paths.flatMap((given) => {
      const file = inside(given, 'cases.json')
      const base = path.dirname(file)
      return runConfigCases(readJson(file), {
        readText: (name) => fs.readFileSync(path.join(base, name), 'utf8'),
        readDirectory: (name) => fs.readdirSync(path.join(base, name)).sort(),
      })
    }),
}
