/** Each discovery against a real server on loopback that gives recorded answers, through the manager. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import fs from 'node:fs'
import type { ServerResponse } from 'node:http'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { answer, discover, serve } from './testing/discover.ts'

const PODS = {
  metadata: { resourceVersion: '10' },
  items: [
    {
      metadata: {
        name: 'web-1',
        namespace: 'shop',
        uid: 'u1',
        resourceVersion: '9',
        labels: { 'app.kubernetes.io/name': 'web' },
        ownerReferences: [{ kind: 'ReplicaSet', name: 'web', controller: true }],
      },
      spec: {
        nodeName: 'n1',
        containers: [{ name: 'c', image: 'web:1', ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }] }],
      },
      status: {
        podIP: '10.1.0.5',
        hostIP: '10.0.0.1',
        phase: 'Running',
        conditions: [{ type: 'Ready', status: 'True' }],
        containerStatuses: [{ name: 'c', containerID: 'docker://abc' }],
      },
    },
  ],
}

test('files: targets follow the file; an invalid one keeps what was valid, a deleted one loses it', async (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'helio-sd-'))
  t.after(() => fs.rmSync(folder, { recursive: true }))
  const file = path.join(folder, 'a.yml')
  fs.writeFileSync(file, '- {targets: ["h:1"], labels: {dc: x}}\n')
  const { until, log } = await discover(t, `file_sd_configs: [{files: ["${folder}/*.yml"], refresh_interval: 20ms}]`)
  const first = await until((found) => 'http://h:1/metrics' in found)
  assert.equal(first['http://h:1/metrics']!['dc'], 'x')
  assert.equal(first['http://h:1/metrics']!['__meta_filepath'], file)
  fs.writeFileSync(path.join(folder, 'b.yml'), '- {targets: ["i:2"]}\n')
  await until((found) => 'http://i:2/metrics' in found)
  fs.writeFileSync(path.join(folder, 'b.yml'), '- {targets: 7, x: 1}\n')
  for (let i = 0; i < 500 && !log.some((line) => line.includes('Error reading file')); i++)
    await new Promise((resolve) => setTimeout(resolve, 20))
  assert.match(log.join(''), /b\.yml:1/, 'the log names the file and line')
  await until((found) => 'http://i:2/metrics' in found && 'http://h:1/metrics' in found)
  fs.unlinkSync(file)
  await until((found) => !('http://h:1/metrics' in found) && 'http://i:2/metrics' in found)
})

test('http: groups of a JSON endpoint, kept while it fails', async (t) => {
  let isBroken = false
  let asked = 0
  const { url } = await serve(t, (_url, response, request) => {
    asked++
    assert.equal(request.headers['x-prometheus-refresh-interval-seconds'], '0.02')
    if (isBroken) {
      response.statusCode = 500
      response.end('no')
    } else answer(response, [{ targets: ['h:1'], labels: { dc: 'x' } }])
  })
  const { until } = await discover(t, `http_sd_configs: [{url: "${url}/t", refresh_interval: 20ms}]`)
  await until((found) => found['http://h:1/metrics']?.['__meta_url'] === `${url}/t`)
  isBroken = true
  const before = asked
  while (asked < before + 3) await new Promise((resolve) => setTimeout(resolve, 5))
  await until((found) => 'http://h:1/metrics' in found)
})

test('dns: SRV records of a real name server; a name that does not exist has no targets', async (t) => {
  const socket = createSocket('udp4')
  socket.on('message', (query, { port, address }) => socket.send(srvAnswer(query), port, address))
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  t.after(() => socket.close())
  const { until } = await discover(t, 'dns_sd_configs: [{names: [_web._tcp.example.org], refresh_interval: 20ms}]', {
    dnsServers: [`127.0.0.1:${socket.address().port}`],
  })
  const found = await until((all) => 'http://web1.example.org:8080/metrics' in all)
  const labels = found['http://web1.example.org:8080/metrics']!
  assert.equal(labels['__meta_dns_name'], '_web._tcp.example.org')
  assert.equal(labels['__meta_dns_srv_record_target'], 'web1.example.org.')
  assert.equal(labels['__meta_dns_srv_record_port'], '8080')
})

/** One SRV record for whatever is asked: the header with an answer count of 1, the question, the record. */
function srvAnswer(query: Buffer): Buffer {
  const end = query.indexOf(0, 12) + 5
  const name = Buffer.from('\x04web1\x07example\x03org\x00', 'latin1')
  const record = Buffer.alloc(18)
  record.writeUInt16BE(0xc00c, 0)
  record.writeUInt16BE(33, 2)
  record.writeUInt16BE(1, 4)
  record.writeUInt32BE(60, 6)
  record.writeUInt16BE(6 + name.length, 10)
  record.writeUInt16BE(8080, 16)
  const header = Buffer.from(query.subarray(0, 12))
  header.writeUInt16BE(0x8180, 2)
  header.writeUInt16BE(1, 6)
  header.writeUInt32BE(0, 8)
  return Buffer.concat([header, query.subarray(12, end), record, name])
}

test('consul: the catalogue with one blocking query, health on each service', async (t) => {
  let names: Record<string, string[]> = { web: ['a', 'b'] }
  const held: (() => void)[] = []
  const asked: string[] = []
  const { url } = await serve(t, ({ pathname, searchParams }, response, request) => {
    asked.push(pathname)
    assert.equal(request.headers['x-consul-token'], 's3')
    response.setHeader('x-consul-index', String(Object.keys(names).length))
    if (pathname === '/v1/agent/self') return answer(response, { Config: { Datacenter: 'dc1' } })
    if (pathname === '/v1/catalog/services') {
      if (!searchParams.has('index')) return answer(response, names)
      held.push(() => {
        response.setHeader('x-consul-index', '2')
        answer(response, names)
      })
      return
    }
    answer(response, [
      {
        Node: { Node: 'n1', Address: '1.1.1.1', Meta: { 'rack-name': '7' }, TaggedAddresses: { lan: '2.2.2.2' } },
        Service: { ID: 'w1', Tags: ['a', 'b'], Address: '', Port: 80, Meta: { v: '1' } },
        Checks: [{ CheckID: 'c', Status: 'warning' }],
      },
    ])
  })
  const { until } = await discover(
    t,
    `consul_sd_configs: [{server: "${url.slice('http://'.length)}", token: s3, tags: [a], refresh_interval: 20ms}]`,
  )
  const found = await until((all) => 'http://1.1.1.1:80/metrics' in all)
  const labels = found['http://1.1.1.1:80/metrics']!
  const meta = Object.fromEntries(Object.entries(labels).filter(([name]) => name.startsWith('__meta')))
  assert.deepEqual(meta, {
    __meta_consul_address: '1.1.1.1',
    __meta_consul_dc: 'dc1',
    __meta_consul_health: 'warning',
    __meta_consul_metadata_rack_name: '7',
    __meta_consul_node: 'n1',
    __meta_consul_service: 'web',
    __meta_consul_service_id: 'w1',
    __meta_consul_service_metadata_v: '1',
    __meta_consul_service_port: '80',
    __meta_consul_tagged_address_lan: '2.2.2.2',
    __meta_consul_tags: ',a,b,',
  })
  names = { other: ['z'] }
  while (held.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  held.pop()!()
  await until((all) => Object.keys(all).length === 0)
  assert.ok(!asked.includes('/v1/health/service/other'), 'a service without the tag is not asked for')
})

test('docker: containers of a daemon on a unix socket', async (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'helio-docker-'))
  t.after(() => fs.rmSync(folder, { recursive: true }))
  const socket = path.join(folder, 'docker.sock')
  await serve(
    t,
    ({ pathname, searchParams }, response) => {
      if (pathname === '/networks') return answer(response, [{ Id: 'net1', Name: 'bridge', Scope: 'local' }])
      assert.equal(searchParams.get('filters'), '{"status":{"running":true}}')
      answer(response, [
        {
          Id: 'c1',
          Names: ['/web'],
          Labels: { 'com.example.team': 'x' },
          Ports: [
            { IP: '0.0.0.0', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' },
            { PrivatePort: 53, Type: 'udp' },
          ],
          HostConfig: { NetworkMode: 'bridge' },
          NetworkSettings: { Networks: { bridge: { NetworkID: 'net1', IPAddress: '172.17.0.2' } } },
        },
        { Id: 'c2', Names: ['/side'], HostConfig: { NetworkMode: 'container:c1' }, NetworkSettings: { Networks: {} } },
        {
          Id: 'c3',
          Names: ['/host'],
          HostConfig: { NetworkMode: 'host' },
          NetworkSettings: { Networks: { host: { NetworkID: 'h', IPAddress: '' } } },
        },
      ])
    },
    { path: socket },
  )
  const { until } = await discover(
    t,
    `docker_sd_configs: [{host: "unix://${socket}", filters: [{name: status, values: [running]}]}]`,
  )
  const found = await until((all) => Object.keys(all).length > 0)
  // The container in another's network has the same address as its neighbour.
  assert.deepEqual(Object.keys(found).sort(), ['http://172.17.0.2:80/metrics', 'http://localhost/metrics'])
  const side = found['http://172.17.0.2:80/metrics']!
  assert.equal(side['__meta_docker_container_name'], '/side')
  assert.equal(side['__meta_docker_network_name'], 'bridge')
})

test('kubernetes: pods listed and watched over the API of a pod, with the token of its service account', async (t) => {
  let watch: ServerResponse | null = null
  const asked: string[] = []
  const { url } = await serve(t, ({ pathname, searchParams }, response) => {
    asked.push(pathname)
    if (searchParams.has('watch')) {
      assert.equal(searchParams.get('resourceVersion'), '10')
      response.writeHead(200, { 'content-type': 'application/json' })
      response.flushHeaders()
      watch = response
    } else answer(response, PODS)
  })
  const { until } = await discover(
    t,
    `kubernetes_sd_configs: [{role: pod, api_server: "${url}", namespaces: {names: [shop]}}]`,
  )
  const found = await until((all) => 'http://10.1.0.5:8080/metrics' in all)
  const labels = found['http://10.1.0.5:8080/metrics']!
  assert.equal(asked[0], '/api/v1/namespaces/shop/pods')
  assert.equal(labels['__meta_kubernetes_namespace'], 'shop')
  assert.equal(labels['__meta_kubernetes_pod_label_app_kubernetes_io_name'], 'web')
  assert.equal(labels['__meta_kubernetes_pod_labelpresent_app_kubernetes_io_name'], 'true')
  assert.equal(labels['__meta_kubernetes_pod_ready'], 'true')
  assert.equal(labels['__meta_kubernetes_pod_controller_kind'], 'ReplicaSet')
  assert.equal(labels['__meta_kubernetes_pod_container_id'], 'docker://abc')
  while (watch === null) await new Promise((resolve) => setTimeout(resolve, 5))
  const event = `${JSON.stringify({ type: 'DELETED', object: { ...PODS.items[0], metadata: { ...PODS.items[0]!.metadata, resourceVersion: '11' } } })}\n`
  // An event may come in any pieces.
  ;(watch as ServerResponse).write(event.slice(0, 20))
  await new Promise((resolve) => setTimeout(resolve, 20))
  ;(watch as ServerResponse).write(event.slice(20))
  await until((all) => Object.keys(all).length === 0)
})
