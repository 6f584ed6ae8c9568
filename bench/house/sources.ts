/** Reads the sources as a linter would: which files there are, what they import, where folders import in a circle. */
import fs from 'node:fs'
import path from 'node:path'

const ROOT = path.resolve(import.meta.dirname, '../..')

/** `.ts` files of the rooms, relative to the root. */
export function sourceFiles(rooms: readonly string[]): string[] {
  const out: string[] = []
  const walk = (dir: string): void => {
    for (const entry of fs.readdirSync(path.join(ROOT, dir), { withFileTypes: true })) {
      const file = `${dir}/${entry.name}`
      if (entry.name === 'node_modules' || entry.name === 'dist' || entry.name === 'testdata') continue
      if (entry.isDirectory()) walk(file)
      else if (/\.tsx?$/.test(entry.name)) out.push(file)
    }
  }
  for (const room of rooms) if (fs.existsSync(path.join(ROOT, room))) walk(room)
  return out.sort()
}

type Imports = { readonly local: string[]; readonly packages: string[] }
const cache = new Map<string, Imports>()

export function importsOf(file: string): Imports {
  const known = cache.get(file)
  if (known) return known
  const text = fs.readFileSync(path.join(ROOT, file), 'utf8')
  const local: string[] = []
  const packages: string[] = []
  for (const match of text.matchAll(
    /(?:^|\n)\s*(?:import|export)\s[^'";]*?from\s*'([^']+)'|(?:^|\n)import\s*'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/g,
  )) {
    const target = (match[1] ?? match[2] ?? match[3])!
    if (target.startsWith('.')) local.push(path.normalize(path.join(path.dirname(file), target)))
    else packages.push(target)
  }
  const imports = { local, packages }
  cache.set(file, imports)
  return imports
}

/** Folders two levels deep (`hub/tsdb`) that import each other in a circle, each circle as `a -> b -> a`. */
export function folderCycles(files: readonly string[]): string[] {
  const edges = new Map<string, Set<string>>()
  for (const file of files) {
    const from = folderOf(file)
    if (!from) continue
    for (const target of importsOf(file).local) {
      const to = folderOf(target)
      if (!to || to === from) continue
      if (!edges.has(from)) edges.set(from, new Set())
      edges.get(from)!.add(to)
    }
  }
  const cycles: string[] = []
  const done = new Set<string>()
  const visit = (folder: string, trail: string[]): void => {
    const at = trail.indexOf(folder)
    if (at >= 0) {
      cycles.push([...trail.slice(at), folder].join(' -> '))
      return
    }
    if (done.has(folder)) return
    for (const next of edges.get(folder) ?? []) visit(next, [...trail, folder])
    done.add(folder)
  }
  for (const folder of edges.keys()) visit(folder, [])
  return cycles
}

/** null for files that lie directly in a room (`hub/main.ts`): they assemble, nobody imports them. */
function folderOf(file: string): string | null {
  const parts = file.split('/')
  return parts.length > 2 ? `${parts[0]}/${parts[1]}` : null
}

/** Lines of code with comments and the insides of strings blanked. */
export function stripCommentsAndStrings(file: string): string[] {
  const text = fs.readFileSync(path.join(ROOT, file), 'utf8')
  return text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '))
    .replace(/'(?:[^'\\\n]|\\.)*'/g, "''")
    .replace(/\/\/[^\n]*/g, '')
    .split('\n')
}
