/**
 * What every agent on this runtime costs before it does anything: an HTTP server, a connection, a database in a thread,
 * a timer. Compiled by Bun and measured by main.ts. Arguments: the folder for the database, HOST PORT to connect to.
 *
 * The thread is Bun's own kind, as the agent's is; one of node:worker_threads brings 5 MB more.
 */
import { DatabaseSync } from 'node:sqlite'

declare const Bun: { readonly isMainThread: boolean }
declare const Worker: new (url: string) => { postMessage(message: unknown): void }

if (Bun.isMainThread) {
  const { createServer } = process.getBuiltinModule('node:http')
  const { connect } = process.getBuiltinModule('node:net')
  const [folder = '/tmp', host = '127.0.0.1', port = '9'] = process.argv.slice(2)
  createServer((_, response) => response.end('ok\n')).listen(0, '127.0.0.1', function (this: { address(): unknown }) {
    process.stdout.write(`${JSON.stringify(this.address())}\n`)
  })
  connect(Number(port), host).on('error', () => {})
  new Worker(import.meta.url).postMessage(folder)
  setInterval(() => {}, 1000)
} else {
  const scope = globalThis as unknown as { onmessage: (event: { readonly data: unknown }) => void }
  scope.onmessage = ({ data: folder }) => {
    const database = new DatabaseSync(`${folder}/floor.db`)
    database.exec('PRAGMA journal_mode=WAL; CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, value BLOB)')
    setInterval(() => database.exec('SELECT 1'), 1000)
  }
}
