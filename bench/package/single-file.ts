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
    readonly compile: { readonly outfile: string; readonly autoloadDotenv: boolean; readonly autoloadBunfig: boolean }
    readonly bytecode: boolean
    readonly splitting: boolean
    readonly format: 'esm'
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
  // What lies in the folder where it is started is nobody's configuration.
  compile: { outfile: path.resolve(outfile), autoloadDotenv: false, autoloadBunfig: false },
  // 9 MB more of file for 7 MB less of memory: nothing is parsed at the start, and what runs comes from the file.
  bytecode: true,
  // What is imported when it is needed is a file of its own, and until then only a name.
  splitting: true,
  format: 'esm',
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
  // Of MySQL's driver one function is used. Its names of 5,000 errors, whose numbers say the same, are memory for good.
  const driver = { 'index.js': "exports.createConnection = require('./lib/create_connection.js')", 'errors.js': '' }
  builder.onLoad({ filter: /\/mysql2\/(index|lib\/constants\/errors)\.js$/ }, ({ path: file }) => ({
    contents: driver[path.basename(file) as keyof typeof driver],
    loader: 'js',
  }))
  // Its server speaks no HTTP/2, and the runtime's half a megabyte for that would be loaded to ask whether it does.
  builder.onLoad({ filter: /\/@hono\/node-server\/dist\/index\.mjs$/ }, ({ path: file }) => {
    const wanted = 'import { Http2ServerRequest, constants } from "node:http2";'
    const text = fs.readFileSync(file, 'utf8')
    if (!text.includes(wanted)) throw new Error(`${file} no longer has the line: ${wanted}`)
    return { contents: text.replace(wanted, 'class Http2ServerRequest {}\nconst constants = {};'), loader: 'js' }
  })
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
