import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLogger } from '../env/mod.ts'
import { VirtualClock } from '../scrape/testing/virtual-clock.ts'
import { ErrorLog } from './error-log.ts'
import { ServiceState } from './service-state.ts'

function watched(watchdogUsec: string): { clock: VirtualClock; service: ServiceState; sent: string[] } {
  const clock = new VirtualClock(1_000_000)
  const sent: string[] = []
  return { clock, sent, service: new ServiceState({ clock, send: (text) => sent.push(text), watchdogUsec }) }
}

test('the manager hears of readiness, a reload with its time, and the stop', async () => {
  const { clock, service, sent } = watched('')
  await clock.advance(1500)
  service.ready('Collecting\non 127.0.0.1')
  service.reloading()
  service.ready('Collecting')
  service.stopping()
  assert.deepEqual(sent, [
    'READY=1\nSTATUS=Collecting on 127.0.0.1',
    'RELOADING=1\nMONOTONIC_USEC=1500000\nSTATUS=Reading the configuration',
    'READY=1\nSTATUS=Collecting',
    'STOPPING=1\nSTATUS=Handing over what was collected',
  ])
})

test('the watchdog hears twice an interval, from readiness on, and once however often it was reached', async () => {
  const { clock, service, sent } = watched('60000000')
  await clock.advance(120_000)
  assert.deepEqual(sent, [])
  service.ready('a')
  service.ready('b')
  await clock.advance(120_000)
  assert.equal(sent.filter((text) => text === 'WATCHDOG=1').length, 5)
})

test('without a manager nothing is said and no timer runs', () => {
  const clock = new VirtualClock(0)
  const service = new ServiceState({ clock, send: null, watchdogUsec: '60000000' })
  service.ready('a')
  service.reloading()
  service.stopping()
  assert.equal(clock.timerCount, 0)
})

test('warnings and errors are remembered, each kind once, newest first, with what to do', () => {
  let now = 1000
  const lines: string[] = []
  const errors = new ErrorLog(() => now)
  const log = errors.watch(
    createLogger({ level: 'info', format: 'logfmt', now: () => now, write: (line) => lines.push(line) }),
  )
  log.info('Agent is ready')
  const uplink = log.with({ component: 'uplink' })
  uplink.warn('Bus', { err: new Error('connect ECONNREFUSED 127.0.0.1:9090') })
  now = 2000
  log.error('Something', { password: undefined })
  now = 3000
  uplink.warn('Bus', { err: new Error('getaddrinfo ENOTFOUND hub') })
  assert.equal(lines.length, 4)
  const [bus, other] = errors.list()
  assert.deepEqual(
    [bus?.message, bus?.count, bus?.firstMs, bus?.lastMs, bus?.detail],
    ['Bus', 2, 1000, 3000, 'component=uplink err="getaddrinfo ENOTFOUND hub"'],
  )
  assert.match(bus!.hint, /name cannot be resolved/)
  assert.deepEqual([other?.level, other?.detail, other?.hint], ['error', '', ''])
})

test('a right that is missing is told apart from a wrong password', () => {
  const errors = new ErrorLog(() => 0)
  const log = errors.watch(createLogger({ level: 'error', format: 'json', now: () => 0, write: () => {} }))
  log.error('Error from scraper', {
    err: new Error('Error 1227: Access denied; you need (at least one of) the SUPER privilege(s) for this operation'),
  })
  log.error('Error opening connection', { err: new Error("Error 1045: Access denied for user 'exporter'@'localhost'") })
  const hints = new Map(errors.list().map(({ message, hint }) => [message, hint]))
  assert.match(hints.get('Error from scraper')!, /lacks a right/)
  assert.match(hints.get('Error opening connection')!, /password is wrong/)
})

test('of more kinds than are kept, the one that was quiet longest goes', () => {
  let now = 0
  const errors = new ErrorLog(() => now)
  const log = errors.watch(createLogger({ level: 'error', format: 'json', now: () => now, write: () => {} }))
  for (let i = 0; i < 60; i++) {
    now = i
    log.error(`kind ${i}`)
    log.error('kind 0')
  }
  const messages = errors.list().map(({ message }) => message)
  assert.equal(messages.length, 50)
  assert.ok(messages.includes('kind 0'))
  assert.ok(!messages.includes('kind 1'))
})
