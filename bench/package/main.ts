/**
 * `npm run package [-- FOLDER]`: the agent as one executable file and, where dpkg-deb is, as a Debian package, in
 * `dist/` or the given folder. Everything it is made of came with `npm ci`.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { buildDeb } from './deb.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')

export type Packages = { readonly singleFile: string; readonly deb: string | null }

/** The runtime that goes into the single file; null where npm brought none for this machine. */
export function bunPath(): string | null {
  const names: Readonly<Record<string, string>> = { x64: 'bun-linux-x64', arm64: 'bun-linux-aarch64' }
  const file = path.join(ROOT, 'node_modules/@oven', names[process.arch] ?? 'none', 'bin/bun')
  return fs.existsSync(file) ? file : null
}

export function buildSingleFile(outfile: string): void {
  const bun = bunPath()
  if (bun === null) throw new Error(`No Bun for ${process.platform} on ${process.arch} was installed by npm ci`)
  fs.mkdirSync(path.dirname(outfile), { recursive: true })
  execFileSync(bun, [path.join(import.meta.dirname, 'single-file.ts'), outfile], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

export function buildPackages(folder: string): Packages {
  const singleFile = path.join(folder, `heliograph-agent-linux-${process.arch}`)
  buildSingleFile(singleFile)
  if (spawnSync('dpkg-deb', ['--version']).status !== 0) return { singleFile, deb: null }
  const workFolder = fs.mkdtempSync(path.join(os.tmpdir(), 'helio-deb-'))
  fs.chmodSync(workFolder, 0o755)
  try {
    const license = fs.readFileSync(path.join(ROOT, 'LICENSE'), 'utf8')
    return { singleFile, deb: buildDeb({ singleFile, license, outputFolder: folder, workFolder }) }
  } finally {
    fs.rmSync(workFolder, { recursive: true, force: true })
  }
}

/** Where the packages go; null: that is no folder. */
export function folderOf(argument: string | undefined): string | null {
  if (argument?.startsWith('-')) return null
  return path.resolve(argument ?? path.join(ROOT, 'dist'))
}

if (import.meta.main) {
  const folder = folderOf(process.argv[2])
  if (folder === null) {
    console.error('usage: npm run package [-- FOLDER]')
    process.exit(2)
  }
  const { singleFile, deb } = buildPackages(folder)
  for (const file of [singleFile, deb]) if (file) console.log(`${file} ${(fs.statSync(file).size / 1e6).toFixed(1)} MB`)
  if (deb === null) console.log('no .deb: dpkg-deb is not installed')
}
