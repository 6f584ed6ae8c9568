/**
 * `npm run bench -- NAME [flags]` runs bench/NAME/main.ts, or bench/NAME.bench.ts; without a name it lists the benches
 * with their questions.
 */
import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

const HERE = import.meta.dirname

type Bench = { readonly name: string; readonly file: string; readonly question: string }

const [name, ...args] = process.argv.slice(2)
if (name === undefined || name === '--help' || name === '-h') {
  console.log('usage: npm run bench -- NAME [flags]\n')
  const benches = all()
  const width = Math.max(...benches.map((bench) => bench.name.length))
  for (const bench of benches) console.log(`  ${bench.name.padEnd(width)}  ${bench.question}`)
} else {
  const bench = all().find((each) => each.name === name)
  if (!bench) {
    console.error(`Unknown bench "${name}"; npm run bench lists them`)
    process.exit(2)
  }
  if (args.some((arg) => arg === '--help' || arg === '-h') && !/\bHELP\b/.test(fs.readFileSync(bench.file, 'utf8'))) {
    console.log(headerOf(bench.file))
    process.exit(0)
  }
  process.argv = [process.argv[0]!, bench.file, ...args]
  await import(pathToFileURL(bench.file).href)
}

/** A program whose header opens with a question is a bench: that is what tells it from other tools under bench/. */
function all(): Bench[] {
  const found: Bench[] = []
  for (const folder of fs.readdirSync(HERE, { withFileTypes: true })) {
    if (!folder.isDirectory()) continue
    for (const entry of fs.readdirSync(path.join(HERE, folder.name))) {
      const file = path.join(HERE, folder.name, entry)
      if (entry === 'main.ts') add(found, folder.name, file)
      else if (entry.endsWith('.bench.ts')) add(found, `${folder.name}/${entry.slice(0, -'.bench.ts'.length)}`, file)
    }
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : 1))
}

function add(found: Bench[], benchName: string, file: string): void {
  const text = headerOf(file).replace(/\s+/g, ' ')
  const question = /^\s*([^?.]*\?)/.exec(text)?.[1]
  if (question) found.push({ name: benchName, file, question: question.trim() })
}

/** The comment at the head of a file, which says what it measures and which flags it takes. */
function headerOf(file: string): string {
  const comment = /^\/\*\*([\s\S]*?)\*\//.exec(fs.readFileSync(file, 'utf8'))?.[1] ?? ''
  return comment.replace(/^[ \t]*\* ?/gm, '').trim()
}
