/** Option files, and what they and the flags say of TLS. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testDisk } from '../testing/env.ts'
import { parseMyCnf } from './mod.ts'
import { mayDoWithoutTls, readSections, tlsOf } from './servers.ts'

test('an option file: sections inherit from [client], quotes and comments', () => {
  const sections = parseMyCnf(
    `[mysqld]\nport = x\n[client]\nuser = exporter\npassword = "a#b" # not part\nssl_ca=/ca.pem\n; note\n[client.eu]\nhost = db.eu\nport=3307 # eu\nssl-skip-verify = true\n`,
    { file: 'my.cnf' },
  )
  assert.deepEqual([...sections.keys()], ['client', 'client.eu'])
  assert.equal(sections.get('client')!.password, 'a#b')
  assert.deepEqual(sections.get('client.eu'), {
    user: 'exporter',
    password: 'a#b',
    host: 'db.eu',
    port: 3307,
    socket: '',
    tls: '',
    sslCa: '/ca.pem',
    sslCert: '',
    sslKey: '',
    sslSkipVerify: true,
    allowCleartext: false,
  })
  assert.throws(
    () => parseMyCnf('[client\n', { file: 'my.cnf' }),
    /Cannot read my.cnf at line 1: "\[client" does not end with \]/,
  )
  assert.throws(
    () => parseMyCnf('[client]\ntls = maybe\n', { file: 'my.cnf' }),
    /tls must be true, false, skip-verify or preferred, got "maybe"/,
  )
})

for (const [line, allowed] of [
  ['', false],
  ['enable-cleartext-plugin', true],
  ['enable_cleartext_plugin = 1', true],
  ['enable_cleartext_plugin = false', false],
] as const)
  test(`a password may go out as it is by "${line}": ${allowed}`, () => {
    const sections = parseMyCnf(`[client]\nuser=u\n${line}\n[client.eu]\n`, { file: 'my.cnf' })
    assert.deepEqual(
      ['client', 'client.eu'].map((name) => sections.get(name)!.allowCleartext),
      [allowed, allowed],
    )
  })

for (const [lines, flags, tls, isTlsOptional] of [
  ['', {}, null, false],
  ['tls=false', {}, null, false],
  ['tls=TRUE', {}, { insecureSkipVerify: false }, false],
  ['tls=skip-verify', {}, { insecureSkipVerify: true }, false],
  ['tls=preferred', {}, { insecureSkipVerify: true }, true],
  ['tls=preferred\nssl-ca=/ca', {}, { ca: 'PEM of /ca', insecureSkipVerify: false }, false],
  ['ssl-ca=/ca\nssl-skip-verify=on', {}, { ca: 'PEM of /ca', insecureSkipVerify: true }, false],
  ['ssl-skip-verfication=true', {}, { insecureSkipVerify: true }, false],
  ['tls=preferred', { 'tls.insecure-skip-verify': 'true' }, { insecureSkipVerify: true }, false],
] as const)
  test(`TLS of "${lines}" with ${JSON.stringify(flags)}`, () => {
    const files: Readonly<Record<string, string>> = { '/my.cnf': `[client]\nuser=u\n${lines}\n`, '/ca': 'PEM of /ca' }
    const disk = { ...testDisk, readText: (name: string) => files[name]! }
    const credentials = readSections(disk, { 'config.my-cnf': '/my.cnf', ...flags }, {}).get('client')!
    assert.deepEqual([tlsOf(disk, credentials), mayDoWithoutTls(credentials)], [tls, isTlsOptional])
  })

test('the flag that skips the check stands for sections that do not take from [client]', () => {
  const disk = { ...testDisk, readText: () => '[other]\nuser=u\n[own]\nuser=u\nssl-skip-verify=false\n' }
  const flags = { 'config.my-cnf': '/my.cnf', 'tls.insecure-skip-verify': 'true' }
  const sections = readSections(disk, flags, {})
  assert.deepEqual(
    ['client', 'other', 'own'].map((name) => sections.get(name)!.sslSkipVerify),
    [true, true, false],
  )
})
