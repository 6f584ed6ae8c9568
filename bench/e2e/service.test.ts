import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startServiceManager } from './service-manager.ts'
import { until, withWorld } from './world.ts'

test('the service manager hears of readiness, reloads, a living loop and the stop', () =>
  withWorld(async (world) => {
    const { environment, notices } = await startServiceManager(world, 1000)
    const agent = await world.startAgent({ env: environment })
    const heard = (pattern: RegExp): number => notices.filter((notice) => pattern.test(notice)).length
    await until('it is ready', async () => heard(/^READY=1\nSTATUS=Collecting; metrics on 127/) === 1)
    await until('the watchdog is fed', async () => heard(/^WATCHDOG=1$/) >= 3)
    agent.signal('SIGHUP')
    await until('it is ready again', async () => heard(/^READY=1/) === 2)
    const reloading = notices.findIndex((notice) => /^RELOADING=1\nMONOTONIC_USEC=\d+\n/.test(notice))
    assert.ok(reloading > 0 && reloading < notices.findLastIndex((notice) => notice.startsWith('READY=1')))
    const { code } = await agent.stop()
    assert.equal(code, 0)
    await until('the stop is told', async () => heard(/^STOPPING=1/) === 1)
  }))
