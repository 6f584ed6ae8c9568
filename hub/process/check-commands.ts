/**
 * `heliograph-hub check-config | check-rules | check-alertmanager | test-rules`: what promtool and amtool are run for,
 * by the code that the hub loads files with.
 */
import { type FlagDefinition, helpText, type ParsedFlags, parseFlags, UsageError } from '../../agent/cli/mod.ts'
import { unsupportedSections } from '../../agent/discovery/mod.ts'
import { ConfigError, directoryOf, expandGlob, joinPath } from '../../protocol/config/mod.ts'
import { DiskError } from '../../protocol/env/mod.ts'
import { jobNameOf } from '../notifier/mod.ts'
import { parserFeatures } from '../query/mod.ts'
import { loadUnitTests, runUnitTests } from '../rule-tests/mod.ts'
import { duplicateRules, loadRuleFile } from '../rules/mod.ts'
import type { ConfigDisk } from './config-sources.ts'
import { loadAlertmanager, loadAll, noticesOf } from './load.ts'

export type CheckContext = {
  readonly disk: ConfigDisk
  readonly environment: Readonly<Record<string, string | undefined>>
  say(line: string): void
  complain(line: string): void
}

type Command = {
  readonly usage: string
  readonly summary: string
  readonly flags: readonly FlagDefinition[]
  /** @returns what is said of a valid file; '' = it failed, and that was said */
  check(file: string, flags: ParsedFlags, context: CheckContext): string | Promise<string>
  readonly defaultFile?: string
}

const flag = (name: string, kind: FlagDefinition['kind'], fallback: string, help: string): FlagDefinition => ({
  name,
  kind,
  default: fallback,
  help,
})
const FEATURES = flag(
  'enable-feature',
  'list',
  '',
  'Comma separated feature names: what of the language the hub is started with.',
)
const IGNORE_UNKNOWN = flag('ignore-unknown-fields', 'boolean', 'false', 'Pass over keys that rules do not have.')

const COMMANDS: Readonly<Record<string, Command>> = {
  'check-config': {
    usage: '[FILE]',
    summary:
      'Checks a configuration with its rules, and with the alertmanager.yml and the templates that it goes with.',
    flags: [
      flag('alertmanager.config.file', 'string', '', 'Alertmanager configuration file path, if not beside FILE.'),
      FEATURES,
    ],
    defaultFile: 'prometheus.yml',
    check: checkConfig,
  },
  'check-rules': {
    usage: 'FILE…',
    summary: 'Checks files of rules.',
    flags: [IGNORE_UNKNOWN, FEATURES],
    check: checkRules,
  },
  'check-alertmanager': {
    usage: '[FILE…]',
    summary: "Checks Alertmanager's configuration with its templates.",
    flags: [],
    defaultFile: 'alertmanager.yml',
    check: checkAlertmanager,
  },
  'test-rules': {
    usage: 'FILE…',
    summary: 'Runs unit tests of rules, in the files that promtool test rules takes.',
    flags: [
      flag('run', 'list', '', 'Run only groups of tests whose name matches one of these.'),
      IGNORE_UNKNOWN,
      FEATURES,
    ],
    check: testRules,
  },
}
/** @returns the exit code: 0 in order, 1 if a test failed, 2 bad usage or a file that is not in order */
export async function checkCommand([name = '', ...rest]: readonly string[], context: CheckContext): Promise<number> {
  const command = COMMANDS[name]!
  try {
    const flags = parseFlags(command.flags, rest)
    if (flags.wantsHelp) {
      context.say(helpText(`heliograph-hub ${name} ${command.usage}`, command.summary, command.flags).trimEnd())
      return 0
    }
    const { positional } = flags
    const files = positional.length === 0 && command.defaultFile ? [command.defaultFile] : positional
    if (files.length === 0 || (files.length > 1 && !command.usage.includes('…')))
      throw new UsageError(`usage: heliograph-hub ${name} ${command.usage}`)
    const exits: number[] = []
    for (const file of files) exits.push(await checkFile(file, command, flags, context))
    return Math.max(...exits)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    context.complain(`heliograph-hub: error: ${error.message}, try --help`)
    return 2
  }
}

async function checkFile(file: string, command: Command, flags: ParsedFlags, context: CheckContext): Promise<number> {
  try {
    const told = await command.check(file, flags, context)
    if (told === '') return 1
    context.say(`${file}: ${told}`)
    return 0
  } catch (error) {
    if (error instanceof ConfigError) {
      const key = error.key === '' ? '' : `${error.key}: `
      context.complain(`${error.file}:${error.line}:${error.column}: ${key}${error.problem}`)
    } else if (error instanceof DiskError) context.complain(`${file}: ${error.message}`)
    else throw error
    return 2
  }
}

function checkConfig(configFile: string, flags: ParsedFlags, { disk, environment, complain }: CheckContext): string {
  const [alertmanagerFile = ''] = flags.values.get('alertmanager.config.file')!
  const loaded = loadAll(disk, { configFile, alertmanagerFile, environment, features: featuresOf(flags) })
  const { groups, prometheus, alertmanager } = loaded
  const { scrapeConfigs, alerting } = prometheus
  const found = [...scrapeConfigs, ...alerting.alertmanagers.map((each, i) => ({ ...each, jobName: jobNameOf(i) }))]
  for (const notice of [...noticesOf(loaded), ...unsupportedSections(found)]) complain(`${configFile}: note: ${notice}`)
  const rules = groups.flatMap((group) => group.rules).length
  const isOneOfMany = prometheus.hub.nats !== null && prometheus.hub.cluster.alerts
  const parts = [
    counted(scrapeConfigs.length, 'scrape job'),
    `${counted(rules, 'rule')} of ${counted(new Set(groups.map(({ file }) => file)).size, 'file')}`,
    alertmanager
      ? `notifies ${counted(alertmanager.receivers.size, 'receiver')}${isOneOfMany ? ' in turn with other hubs' : ''}`
      : 'notifies nobody itself',
  ]
  return `valid (${parts.join(', ')})`
}

function checkRules(file: string, flags: ParsedFlags, { disk, complain }: CheckContext): string {
  const groups = loadRuleFile(disk.readText(file), file, {
    ignoreUnknownFields: isOn(flags, IGNORE_UNKNOWN),
    features: parserFeatures(featuresOf(flags)),
  })
  for (const { name, labels } of duplicateRules(groups))
    complain(`${file}: note: more than one rule gives ${name} ${labels}; they may overwrite each other`)
  return `valid (${counted(groups.flatMap(({ rules }) => rules).length, 'rule')})`
}

function checkAlertmanager(file: string, _flags: ParsedFlags, { disk, complain }: CheckContext): string {
  const { config, missingFiles } = loadAlertmanager(disk, file)
  const { receivers, inhibitRules, timeIntervals, templateTexts } = config
  for (const missing of missingFiles) complain(`${file}: note: ${missing}, which it names, is not there`)
  const parts = [
    counted(receivers.size, 'receiver'),
    counted(inhibitRules.length, 'inhibit rule'),
    counted(timeIntervals.size, 'time interval'),
    counted(templateTexts?.length ?? 0, 'template file'),
  ]
  return `valid (${parts.join(', ')})`
}

async function testRules(file: string, flags: ParsedFlags, { disk, complain }: CheckContext): Promise<string> {
  const ignoreUnknownFields = isOn(flags, IGNORE_UNKNOWN)
  const given = featuresOf(flags)
  const features = { parser: parserFeatures(given), delayedNameRemoval: given.includes('promql-delayed-name-removal') }
  const run = flags.values.get('run')!.map(patternOf)
  const tests = loadUnitTests(disk.readText(file), file, ignoreUnknownFields)
  const folder = directoryOf(file)
  const groups = tests.ruleFiles.flatMap((pattern) => {
    const found = expandGlob(joinPath(folder, pattern), disk).filter((each) => disk.stat(each) !== null)
    if (found.length === 0) complain(`${file}: note: no file matches ${pattern}`)
    return found.flatMap((each) =>
      loadRuleFile(disk.readText(each), each, { ignoreUnknownFields, features: features.parser }),
    )
  })
  const failures = await runUnitTests({ file: tests, groups, run, features })
  if (failures.length > 0) complain(`${file}: failed:\n${failures.join('\n\n')}`)
  return failures.length > 0 ? '' : `passed (${counted(tests.tests.length, 'group')} of tests)`
}

function patternOf(text: string): RegExp {
  try {
    return new RegExp(text)
  } catch (error) {
    throw new UsageError(`--run: ${(error as Error).message}`)
  }
}

const featuresOf = (flags: ParsedFlags): readonly string[] => flags.values.get(FEATURES.name)!
const isOn = (flags: ParsedFlags, { name }: FlagDefinition): boolean => flags.values.get(name)?.[0] === 'true'
const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`
