/**
 * The agent as one executable file: `bun single-file.ts OUTFILE`. Bun puts its own runtime, the bundle, the entries of
 * the worker threads and koffi's native part into it; nothing is downloaded, the runtime is the one that runs this.
 *
 * A bundle has one address for all of its files, so what code says of itself by `import.meta.url` is rewritten here:
 * the workers' entries, and the loading of koffi, whose own search for its native part looks into folders.
 */
import fs from 'node:fs'
import path from 'node:path'

type Loaded = { readonly contents: string; readonly loader: 'ts' | 'js' }
type Builder = {
  onLoad(options: { readonly filter: RegExp }, load: (args: { readonly path: string }) => Loaded): void
}
declare const Bun: {
  build(options: {
    readonly entrypoints: readonly string[]
    readonly root: string
    readonly compile: { readonly outfile: string }
    readonly minify: { readonly whitespace: boolean; readonly syntax: boolean; readonly identifiers: boolean }
    readonly plugins: readonly { readonly name: string; readonly setup: (builder: Builder) => void }[]
  }): Promise<{ readonly success: boolean; readonly logs: readonly unknown[] }>
}

const ROOT = path.resolve(import.meta.dirname, '../..')

const outfile = process.argv[2]
if (outfile === undefined) throw new Error('usage: bun single-file.ts OUTFILE')
const workers = fs.readdirSync(path.join(ROOT, 'agent/env')).filter((name) => name.endsWith('-worker.ts'))
const result = await Bun.build({
  entrypoints: [path.join(ROOT, 'agent/main.ts'), ...workers.map((name) => path.join(ROOT, 'agent/env', name))],
  root: path.join(ROOT, 'agent'),
  compile: { outfile: path.resolve(outfile) },
  // Names stay, so that stack traces in logs can be read.
  minify: { whitespace: true, syntax: true, identifiers: false },
  plugins: [{ name: 'one address', setup }],
})
if (!result.success) {
  for (const log of result.logs) console.error(log)
  process.exit(1)
}

function setup(builder: Builder): void {
  builder.onLoad({ filter: /\/agent\/env\/.*\.ts$/ }, ({ path: file }) => ({
    contents: fs
      .readFileSync(file, 'utf8')
      .replace(/new URL\('\.\/([\w-]+-worker)\.ts', import\.meta\.url\)/g, "new URL('./env/$1.js', import.meta.url)")
      .replaceAll("createRequire(import.meta.url)('koffi')", "require('koffi')"),
    loader: 'ts',
  }))
  builder.onLoad({ filter: /\/koffi\/src\/koffi\/index\.cjs$/ }, ({ path: file }) => {
    const search = 'loadStatic(pkg) ?? loadDynamic2(__dirname, pkg, triplets)'
    const text = fs.readFileSync(file, 'utf8')
    if (!text.includes(search)) throw new Error(`${file} no longer loads its native part by: ${search}`)
    return { contents: text.replace(search, `require(${JSON.stringify(nativeKoffi())})`), loader: 'js' }
  })
}

function nativeKoffi(): string {
  const folder = path.join(ROOT, `node_modules/@koromix/koffi-linux-${process.arch}`)
  return path.join(folder, `linux_${process.arch}/koffi.node`)
}
