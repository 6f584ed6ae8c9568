/**
 * What every agent on this runtime costs before it does anything: an HTTP server, a connection, a database in a thread,
 * a timer. Compiled by Bun and measured by main.ts. Arguments: the folder for the database, HOST PORT to connect to.
 */
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { DatabaseSync } from 'node:sqlite'
import { isMainThread, Worker } from 'node:worker_threads'

if (isMainThread) {
  const [folder = '/tmp', host = '127.0.0.1', port = '9'] = process.argv.slice(2)
  createServer((_, response) => response.end('ok\n')).listen(0, '127.0.0.1', function (this: { address(): unknown }) {
    process.stdout.write(`${JSON.stringify(this.address())}\n`)
  })
  connect(Number(port), host).on('error', () => {})
  new Worker(new URL(import.meta.url), { argv: [folder] })
  setInterval(() => {}, 1000)
} else {
  const database = new DatabaseSync(`${process.argv.at(-1)}/floor.db`)
  database.exec('PRAGMA journal_mode=WAL; CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, value BLOB)')
  setInterval(() => database.exec('SELECT 1'), 1000)
}
