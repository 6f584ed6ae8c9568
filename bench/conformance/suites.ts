/** Every suite of the conformance kit that has production code, by name. */

import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { runDiscoveryCases } from '../../agent/discovery/conformance.ts'
import { createLogger, nodeDisk, systemClock } from '../../agent/env/mod.ts'
import { runBlackboxCases } from '../../exporters/blackbox/conformance.ts'
import { runConsulCases } from '../../exporters/consul/conformance.ts'
import { runGraphiteCases } from '../../exporters/graphite/conformance.ts'
import { runHaproxyCases } from '../../exporters/haproxy/conformance.ts'
import { runMemcachedCases } from '../../exporters/memcached/conformance.ts'
import { runMysqldCases } from '../../exporters/mysql/conformance.ts'
import { runNodeCases } from '../../exporters/node/conformance.ts'
import { runPushCases } from '../../exporters/push/conformance.ts'
import { runStatsdCases } from '../../exporters/statsd/conformance.ts'
import {
  runConfigCases as runAlertmanagerConfigCases,
  runInhibitionCases,
  runMatcherCases,
  runNotificationCases,
  runRouteCases,
  runTimeIntervalCases,
} from '../../hub/alerts/conformance.ts'
import { runApiScenarios, runScenarios } from '../../hub/alerts/scenarios.ts'
import { runParserCases } from '../../hub/promql/conformance/parser.ts'
import { runPromqlConformance } from '../../hub/promql/engine/conformance.ts'
import { runRuleCases, runTemplateCases } from '../../hub/rule-tests/conformance.ts'
import { runConfigCases } from '../../protocol/config/conformance.ts'
import { runExpositionCases, runExpositionPage } from '../../protocol/exposition/conformance.ts'
import { runRelabelCases } from '../../protocol/relabel/conformance.ts'
import { headStore } from './head-store.ts'

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
  exposition: async (paths) =>
    paths.flatMap((given) => {
      const folder = fs.statSync(given).isDirectory()
      const cases = folder || given.endsWith('.json') ? runExpositionCases(readJson(inside(given, 'cases.json'))) : []
      const pages = folder ? pagesOf(path.join(given, 'fixtures')) : given.endsWith('.json') ? [] : [given]
      return [
        ...cases,
        ...pages.map((file) =>
          runExpositionPage(
            path.basename(file),
            fs.readFileSync(file),
            file.endsWith('.om.txt') ? 'openmetrics' : 'text',
          ),
        ),
      ]
    }),
  'promql-parser': async (paths) => paths.flatMap((given) => runParserCases(readJson(inside(given, 'cases.json')))),
  promql: async (paths) => {
    const files = paths.flatMap((given) => (fs.statSync(given).isDirectory() ? testScripts(given) : [given]))
    const scripts = files.map((file) => ({ name: path.basename(file), text: fs.readFileSync(file, 'utf8') }))
    const { passed, failures } = await runPromqlConformance(scripts, headStore)
    const good = Array.from({ length: passed }, (_, i) => ({ name: `passed ${i}`, error: null }))
    return [...good, ...failures.map(({ script, line, message }) => ({ name: `${script}:${line}`, error: message }))]
  },
  discovery: async (paths) => {
    const results = paths.map((given) => {
      const file = inside(given, 'cases.json')
      const readText = (name: string): string => fs.readFileSync(path.join(path.dirname(file), name), 'utf8')
      return runDiscoveryCases(readJson(file), { ...exporterEnv(), readText })
    })
    return (await Promise.all(results)).flat()
  },
  rules: async (paths) => (await Promise.all(paths.map(ruleSuite))).flat(),
  alertmanager: async (paths) => (await Promise.all(paths.map(alertmanagerSuite))).flat(),
  pushgateway: (paths) => folderCases(paths, (readText) => runPushCases(readText, exporterEnv())),
  'exporters/blackbox': (paths) => folderCases(paths, runBlackboxCases),
  'exporters/consul': (paths) => folderCases(paths, (readText) => runConsulCases(readText, exporterEnv())),
  'exporters/graphite': (paths) => folderCases(paths, (readText) => runGraphiteCases(readText, exporterEnv())),
  'exporters/haproxy': (paths) => folderCases(paths, (readText) => runHaproxyCases(readText, exporterEnv())),
  'exporters/memcached': (paths) => folderCases(paths, runMemcachedCases),
  'exporters/mysqld': (paths) => folderCases(paths, runMysqldCases),
  'exporters/statsd': (paths) => folderCases(paths, runStatsdCases),
  'exporters/node': async (paths) => (await Promise.all(paths.map((given) => nodeCases(given)))).flat(),
}

const exporterEnv = () => ({
  disk: nodeDisk,
  clock: systemClock,
  log: createLogger({ level: 'error', format: 'logfmt', now: () => 0, write: () => {} }),
})

async function folderCases(
  folders: readonly string[],
  run: (readText: (name: string) => string) => Promise<CaseResult[]>,
): Promise<CaseResult[]> {
  const readers = folders.map((folder) => (name: string) => fs.readFileSync(path.join(folder, name), 'utf8'))
  return (await Promise.all(readers.map(run))).flat()
}

function pagesOf(folder: string): string[] {
  return fs.existsSync(folder)
    ? fs
        .readdirSync(folder)
        .sort()
        .map((name) => path.join(folder, name))
    : []
}

function testScripts(folder: string): string[] {
  return fs
    .readdirSync(folder)
    .filter((name) => name.endsWith('.test'))
    .sort()
    .map((name) => path.join(folder, name))
}

type AlertmanagerFile = (data: never, readText: (name: string) => string) => CaseResult[] | Promise<CaseResult[]>
const ALERTMANAGER: Readonly<Record<string, AlertmanagerFile>> = {
  'scenarios.json': ({ scenarios }: { scenarios: never }) => runScenarios(scenarios),
  'api.json': ({ scenarios }: { scenarios: never }) => runApiScenarios(scenarios),
  'config.json': (data: never, readText) => runAlertmanagerConfigCases(data, (name) => readText(`config/${name}`)),
  'routes.json': runRouteCases,
  'matchers.json': runMatcherCases,
  'inhibition.json': ({ cases }: { cases: never }) => runInhibitionCases(cases),
  'timeintervals.json': runTimeIntervalCases,
  'templates.json': ({ cases }: { cases: never }) => runNotificationCases(cases),
}

/** Files by their names. */
async function alertmanagerSuite(given: string): Promise<CaseResult[]> {
  const files = fs.statSync(given).isDirectory()
    ? fs
        .readdirSync(given)
        .filter((name) => name.endsWith('.json'))
        .map((name) => path.join(given, name))
    : [given]
  const out: CaseResult[] = []
  for (const file of files) {
    const name = path.basename(file)
    const run = ALERTMANAGER[name]
    const readText = (other: string): string => fs.readFileSync(path.join(path.dirname(file), other), 'utf8')
    out.push(...(run ? await run(readJson(file) as never, readText) : [{ name, error: 'nothing runs these cases' }]))
  }
  return out
}

/** `cases.json` with its files beside it, and `templates.json`. */
async function ruleSuite(given: string): Promise<CaseResult[]> {
  const isFolder = fs.statSync(given).isDirectory()
  const files = isFolder ? ['cases.json', 'templates.json'].map((name) => path.join(given, name)) : [given]
  const out: CaseResult[] = []
  for (const file of files.filter((each) => fs.existsSync(each))) {
    const data = readJson(file)
    const readText = (name: string): string => fs.readFileSync(path.join(path.dirname(file), name), 'utf8')
    out.push(...(data.cases ? await runTemplateCases(data.cases) : await runRuleCases(data, readText)))
  }
  return out
}

/** All expected lines: those of collectors that are not built are failures, as `npm run conformance` counts everything. */
async function nodeCases(folder: string): Promise<CaseResult[]> {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'helio-conformance-node-'))
  try {
    execFileSync('tar', ['-xzf', path.join(folder, 'fixtures.tar.gz'), '-C', root])
    const expected = fs.readFileSync(path.join(folder, 'e2e-output.txt'), 'utf8')
    return await runNodeCases(readJson(path.join(folder, 'e2e.json')), expected, root, exporterEnv(), folder)
  } finally {
    fs.rmSync(root, { recursive: true })
  }
}
