/**
 * Runs the tests of agent/ and protocol/ on Bun or Deno, and tells what passed:
 * `node bench/runtimes/run.ts bun|deno [FILE…]`. Both are asked for a JUnit report, for their own output has no form.
 */
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { EXCEPTIONS, type Exception, type RuntimeName } from './exceptions.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')
const ROOMS = ['protocol', 'agent']
const TIMEOUT_MS = 10 * 60_000
const TEST_TIMEOUT_MS = 120_000

export type RuntimeReport = {
  readonly passed: number
  readonly skipped: number
  /** Listed exceptions that failed, as they should. */
  readonly expected: readonly Exception[]
  /** Listed exceptions that passed: the list is out of date. */
  readonly surprises: readonly Exception[]
  /** Anything else that failed. */
  readonly failures: readonly string[]
}

/** The runtime that npm brought; null where it has none for this machine. */
export function runtimePath(name: RuntimeName): string | null {
  const arch = { x64: ['bun-linux-x64', 'linux-x64-glibc'], arm64: ['bun-linux-aarch64', 'linux-arm64-glibc'] }[
    process.arch as string
  ]
  if (!arch) return null
  const file = name === 'bun' ? `@oven/${arch[0]}/bin/bun` : `@deno/${arch[1]}/deno`
  const place = path.join(ROOT, 'node_modules', file)
  return fs.existsSync(place) ? place : null
}

export function testFiles(): string[] {
  return ROOMS.flatMap((room) =>
    fs
      .readdirSync(path.join(ROOT, room), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.test.ts') && !name.includes('node_modules'))
      .map((name) => path.join(room, name)),
  ).sort()
}

/** @throws Error when the runtime ended without a report, with its last lines */
export async function runOn(name: RuntimeName, files: readonly string[] = testFiles()): Promise<RuntimeReport> {
  const runtime = runtimePath(name)
  if (runtime === null) throw new Error(`npm brought no ${name} for ${process.arch}`)
  const ours = EXCEPTIONS.filter((each) => each.runtime === name)
  const left = ours.filter(({ test }) => test === null)
  const run = files.filter((file) => !left.some((each) => each.file === file))
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'helio-runtimes-'))
  const report = path.join(folder, 'report.xml')
  try {
    const output = await ended(runtime, name === 'bun' ? bunArguments(report, run) : denoArguments(report, run))
    if (!fs.existsSync(report)) throw new Error(`${name} ended without a report:\n${output.slice(-4000)}`)
    return judged(fs.readFileSync(report, 'utf8'), ours, left)
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

const bunArguments = (report: string, files: readonly string[]): string[] => [
  'test',
  '--reporter=junit',
  `--reporter-outfile=${report}`,
  `--timeout=${TEST_TIMEOUT_MS}`,
  ...files.map((file) => `./${file}`),
]
const denoArguments = (report: string, files: readonly string[]): string[] => [
  'test',
  '--no-check',
  '--allow-all',
  '--no-lock',
  '--node-modules-dir=manual',
  '--quiet',
  `--junit-path=${report}`,
  ...files,
]

function ended(program: string, args: readonly string[]): Promise<string> {
  const { NODE_TEST_CONTEXT: _, NODE_OPTIONS: __, ...env } = process.env
  return new Promise((resolve, reject) => {
    const options = { cwd: ROOT, env: { ...env, NO_COLOR: '1', DENO_NO_UPDATE_CHECK: '1' }, timeout: TIMEOUT_MS }
    const child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8')
      stream.on('data', (chunk: string) => {
        output = (output + chunk).slice(-100_000)
      })
    }
    child.on('error', reject)
    child.on('close', () => resolve(output))
  })
}

/** `<testcase name file|classname>` with `<failure>` or `<skipped>` inside; of Deno's, suites are named as files too. */
export function judged(xml: string, exceptions: readonly Exception[], left: readonly Exception[]): RuntimeReport {
  let passed = 0
  let skipped = 0
  const failures: string[] = []
  const met = new Set<Exception>()
  const seen = new Set<Exception>()
  for (const [, attributes, inside = ''] of xml.matchAll(/<testcase\b([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g)) {
    const name = attribute(attributes!, 'name')
    const file = attribute(attributes!, 'file') || attribute(attributes!, 'classname')
    const exception = exceptions.find(({ test, file: of }) => test?.test(name) && file.endsWith(of))
    if (exception) seen.add(exception)
    if (/<skipped\b/.test(inside)) skipped++
    else if (!/<(failure|error)\b/.test(inside)) passed++
    else if (exception) met.add(exception)
    else failures.push(`${file}: ${name}: ${problem(inside)}`)
  }
  return {
    passed,
    skipped,
    expected: [...left, ...met],
    surprises: [...seen].filter((each) => !met.has(each)),
    failures,
  }
}

const attribute = (text: string, name: string): string =>
  unescaped(new RegExp(`\\b${name}="([^"]*)"`).exec(text)?.[1] ?? '')
const problem = (inside: string): string =>
  unescaped(/message="([^"]*)"/.exec(inside)?.[1] || inside.replace(/<[^>]*>/g, ' '))
    .trim()
    .slice(0, 600)
const unescaped = (text: string): string =>
  text
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&quot;/g, '"')
    .replace(/&apos;/g, "'")
    .replace(/&amp;/g, '&')

export function summary(name: RuntimeName, { passed, skipped, expected, surprises, failures }: RuntimeReport): string {
  const lines = [
    `${name}: ${passed} passed, ${failures.length} failed, ${skipped} skipped, ${expected.length} known not to work`,
  ]
  for (const { file, test, reason } of expected) lines.push(`  known: ${file}${test ? ` ${test}` : ''}: ${reason}`)
  for (const { file, test } of surprises) lines.push(`  passes by now, take it from exceptions.ts: ${file} ${test}`)
  for (const failure of failures) lines.push(`  failed: ${failure}`)
  return lines.join('\n')
}

if (import.meta.main) {
  const [name, ...files] = process.argv.slice(2)
  if (name !== 'bun' && name !== 'deno') throw new Error('usage: run.ts bun|deno [FILE…]')
  const report = await runOn(name, files.length > 0 ? files : testFiles())
  console.log(summary(name, report))
  process.exitCode = report.failures.length > 0 || report.passed === 0 ? 1 : 0
}
