/** The built page, built first where it is missing or older than its sources. */
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { DIST } from './page-server.ts'

const UI = path.join(import.meta.dirname, '..')
const ROOT = path.join(UI, '../..')
const SOURCES = ['src', 'public', 'index.html', 'vite.config.ts']

/** @throws Error with vite's output */
export function ensureBuilt(): void {
  const built = path.join(DIST, 'index.html')
  const builtAt = fs.existsSync(built) ? fs.statSync(built).mtimeMs : 0
  if (builtAt > Math.max(...SOURCES.map((name) => newest(path.join(UI, name))))) return
  const vite = path.join(ROOT, 'node_modules/vite/bin/vite.js')
  execFileSync(
    process.execPath,
    [vite, 'build', '--config', path.join(UI, 'vite.config.ts'), '--logLevel', 'warn', UI],
    { cwd: ROOT, stdio: 'pipe', env: { ...process.env, NODE_ENV: 'production' } },
  )
}

function newest(file: string): number {
  const stat = fs.statSync(file)
  if (!stat.isDirectory()) return stat.mtimeMs
  return Math.max(0, ...fs.readdirSync(file).map((name) => newest(path.join(file, name))))
}
