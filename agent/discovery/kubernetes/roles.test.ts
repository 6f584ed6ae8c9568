/** Every role of Kubernetes discovery against an API server that gives the answers of a small cluster, and watches. */
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { type TestContext, test } from 'node:test'
import { answer, discover, serve } from '../testing/discover.ts'

const meta = (name: string, more: object = {}) => ({
  name,
  namespace: 'shop',
  uid: `uid-${name}`,
  resourceVersion: '7',
  ...more,
})

const POD = {
  metadata: meta('web-1', { labels: { app: 'web' } }),
  spec: {
    nodeName: 'n1',
    containers: [
      {
        name: 'c',
        image: 'web:1',
        ports: [
          { name: 'http', containerPort: 8080, protocol: 'TCP' },
          { name: 'admin', containerPort: 9090, protocol: 'TCP' },
        ],
      },
    ],
  },
  status: { podIP: '10.1.0.5', hostIP: '10.0.0.1', phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
}
const NODE = {
  metadata: { name: 'n1', resourceVersion: '7', labels: { 'topology.kubernetes.io/zone': 'a' } },
  spec: { providerID: 'aws:///a/i-1' },
  status: {
    addresses: [
      { type: 'InternalIP', address: '10.0.0.1' },
      { type: 'Hostname', address: 'n1.local' },
    ],
    daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
  },
}
const SERVICE = {
  metadata: meta('web', { labels: { tier: 'front' }, annotations: { 'prometheus.io/scrape': 'true' } }),
  spec: {
    type: 'ClusterIP',
    clusterIP: '10.2.0.9',
    ports: [{ name: 'http', port: 80, targetPort: 8080, protocol: 'TCP' }],
  },
}
const REFERENCE = { kind: 'Pod', namespace: 'shop', name: 'web-1' }
const ENDPOINTS = {
  metadata: meta('web'),
  subsets: [
    {
      addresses: [{ ip: '10.1.0.5', nodeName: 'n1', targetRef: REFERENCE }],
      notReadyAddresses: [{ ip: '10.1.0.6', hostname: 'late' }],
      ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    },
  ],
}
const SLICE = {
  metadata: meta('web-abc12', { labels: { 'kubernetes.io/service-name': 'web' } }),
  addressType: 'IPv4',
  endpoints: [
    {
      addresses: ['10.1.0.5'],
      conditions: { ready: true, serving: true, terminating: false },
      nodeName: 'n1',
      zone: 'a',
      targetRef: REFERENCE,
    },
  ],
  ports: [{ name: 'http', port: 8080, protocol: 'TCP', appProtocol: 'http' }],
}
const INGRESS = {
  metadata: meta('front'),
  spec: {
    ingressClassName: 'nginx',
    tls: [{ hosts: ['*.example.org'] }],
    rules: [
      { host: 'a.example.org', http: { paths: [{ path: '/shop' }, { path: '' }] } },
      { host: 'plain.example.com' },
    ],
  },
}
const NAMESPACE = { metadata: { name: 'shop', resourceVersion: '7', labels: { team: 'x' } } }

const COLLECTIONS: Readonly<Record<string, readonly object[]>> = {
  '/api/v1/pods': [POD],
  '/api/v1/nodes': [NODE],
  '/api/v1/services': [SERVICE],
  '/api/v1/endpoints': [ENDPOINTS],
  '/api/v1/namespaces': [NAMESPACE],
  '/apis/discovery.k8s.io/v1/endpointslices': [SLICE],
  '/apis/networking.k8s.io/v1/ingresses': [INGRESS],
}

/** @returns what was found, and how to send an event of a collection */
async function cluster(t: TestContext, settings: string) {
  const watches = new Map<string, ServerResponse>()
  const { url } = await serve(t, ({ pathname, searchParams }, response) => {
    const items = COLLECTIONS[pathname]
    if (items === undefined) {
      response.statusCode = 404
      response.end('{}')
    } else if (searchParams.has('watch')) {
      assert.equal(searchParams.get('resourceVersion'), '10')
      response.writeHead(200, { 'content-type': 'application/json' })
      response.flushHeaders()
      watches.set(pathname, response)
    } else answer(response, { metadata: { resourceVersion: '10' }, items })
  })
  const { until } = await discover(t, `kubernetes_sd_configs: [{api_server: "${url}", ${settings}}]`)
  const send = async (path: string, type: string, object: object): Promise<void> => {
    while (!watches.has(path)) await new Promise((resolve) => setTimeout(resolve, 5))
    watches.get(path)!.write(`${JSON.stringify({ type, object })}\n`)
  }
  return { until, send }
}

/** Labels without the prefix that all share, and without those of every target. */
function kubernetesLabels(labels: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(labels).flatMap(([name, value]) =>
      name.startsWith('__meta_kubernetes_') ? [[name.slice('__meta_kubernetes_'.length), value]] : [],
    ),
  )
}

const POD_LABELS = {
  pod_name: 'web-1',
  pod_ip: '10.1.0.5',
  pod_ready: 'true',
  pod_phase: 'Running',
  pod_node_name: 'n1',
  pod_host_ip: '10.0.0.1',
  pod_uid: 'uid-web-1',
  pod_label_app: 'web',
  pod_labelpresent_app: 'true',
}
const containerLabels = (name: string, port: number) => ({
  pod_container_name: 'c',
  pod_container_image: 'web:1',
  pod_container_init: 'false',
  pod_container_port_name: name,
  pod_container_port_number: String(port),
  pod_container_port_protocol: 'TCP',
})
const SERVICE_LABELS = {
  namespace: 'shop',
  service_name: 'web',
  service_label_tier: 'front',
  service_labelpresent_tier: 'true',
  service_annotation_prometheus_io_scrape: 'true',
  service_annotationpresent_prometheus_io_scrape: 'true',
}

type Rows = Readonly<Record<string, Readonly<Record<string, string>>>>
const CASES: readonly [settings: string, targets: Rows][] = [
  [
    'role: node',
    {
      'http://10.0.0.1:10250/metrics': {
        node_name: 'n1',
        node_provider_id: 'aws:///a/i-1',
        node_address_InternalIP: '10.0.0.1',
        node_address_Hostname: 'n1.local',
        node_label_topology_kubernetes_io_zone: 'a',
        node_labelpresent_topology_kubernetes_io_zone: 'true',
      },
    },
  ],
  [
    'role: service, attach_metadata: {namespace: true}',
    {
      'http://web.shop.svc:80/metrics': {
        ...SERVICE_LABELS,
        namespace_label_team: 'x',
        namespace_labelpresent_team: 'true',
        service_type: 'ClusterIP',
        service_cluster_ip: '10.2.0.9',
        service_port_name: 'http',
        service_port_number: '80',
        service_port_protocol: 'TCP',
      },
    },
  ],
  [
    'role: pod, attach_metadata: {node: true}',
    Object.fromEntries(
      (
        [
          ['http', 8080],
          ['admin', 9090],
        ] as const
      ).map(([name, port]) => [
        `http://10.1.0.5:${port}/metrics`,
        {
          ...POD_LABELS,
          ...containerLabels(name, port),
          namespace: 'shop',
          node_name: 'n1',
          node_label_topology_kubernetes_io_zone: 'a',
          node_labelpresent_topology_kubernetes_io_zone: 'true',
        },
      ]),
    ),
  ],
  [
    'role: endpoints',
    {
      'http://10.1.0.5:8080/metrics': {
        ...SERVICE_LABELS,
        ...POD_LABELS,
        ...containerLabels('http', 8080),
        endpoints_name: 'web',
        endpoint_port_name: 'http',
        endpoint_port_protocol: 'TCP',
        endpoint_ready: 'true',
        endpoint_node_name: 'n1',
        endpoint_address_target_kind: 'Pod',
        endpoint_address_target_name: 'web-1',
      },
      'http://10.1.0.6:8080/metrics': {
        ...SERVICE_LABELS,
        endpoints_name: 'web',
        endpoint_port_name: 'http',
        endpoint_port_protocol: 'TCP',
        endpoint_ready: 'false',
        endpoint_hostname: 'late',
      },
      // A port of the pod that the service does not cover.
      'http://10.1.0.5:9090/metrics': {
        ...SERVICE_LABELS,
        ...POD_LABELS,
        ...containerLabels('admin', 9090),
        endpoints_name: 'web',
      },
    },
  ],
  [
    'role: endpointslice',
    {
      'http://10.1.0.5:8080/metrics': {
        ...SERVICE_LABELS,
        ...POD_LABELS,
        ...containerLabels('http', 8080),
        endpointslice_name: 'web-abc12',
        endpointslice_label_kubernetes_io_service_name: 'web',
        endpointslice_labelpresent_kubernetes_io_service_name: 'true',
        endpointslice_address_type: 'IPv4',
        endpointslice_address_target_kind: 'Pod',
        endpointslice_address_target_name: 'web-1',
        endpointslice_port: '8080',
        endpointslice_port_name: 'http',
        endpointslice_port_protocol: 'TCP',
        endpointslice_port_app_protocol: 'http',
        endpointslice_endpoint_conditions_ready: 'true',
        endpointslice_endpoint_conditions_serving: 'true',
        endpointslice_endpoint_conditions_terminating: 'false',
        endpointslice_endpoint_node_name: 'n1',
        endpointslice_endpoint_zone: 'a',
      },
      'http://10.1.0.5:9090/metrics': {
        ...SERVICE_LABELS,
        ...POD_LABELS,
        ...containerLabels('admin', 9090),
        endpointslice_name: 'web-abc12',
        endpointslice_label_kubernetes_io_service_name: 'web',
        endpointslice_labelpresent_kubernetes_io_service_name: 'true',
        endpointslice_address_type: 'IPv4',
      },
    },
  ],
]

for (const [settings, wanted] of CASES)
  test(`kubernetes: ${settings}`, async (t) => {
    const { until } = await cluster(t, settings)
    const found = await until((all) => Object.keys(all).length >= Object.keys(wanted).length)
    const labels = Object.fromEntries(Object.entries(found).map(([url, own]) => [url, kubernetesLabels(own)]))
    // Of the pod alone: the container's id, which this cluster does not tell.
    for (const own of Object.values(labels)) if (own['pod_container_id'] === '') delete own['pod_container_id']
    assert.deepEqual(labels, wanted)
  })

test('kubernetes: role: ingress, one target a path', async (t) => {
  const { until } = await cluster(t, 'role: ingress')
  const found = await until((all) => Object.keys(all).length === 2)
  const of = (url: string) => kubernetesLabels(found[url]!)
  assert.deepEqual(of('http://plain.example.com/metrics'), {
    namespace: 'shop',
    ingress_name: 'front',
    ingress_class_name: 'nginx',
    ingress_host: 'plain.example.com',
    ingress_path: '/',
    ingress_scheme: 'http',
  })
  assert.equal(of('http://a.example.org/metrics')['ingress_scheme'], 'https')
})

test('kubernetes: of endpoints a port of the pod has the protocol of the endpoint, of slices its own', async (t) => {
  const protocols: (string | undefined)[] = []
  for (const role of ['endpoints', 'endpointslice']) {
    const { until, send } = await cluster(t, `role: ${role}`)
    await until((all) => Object.keys(all).length >= 2)
    const ports = [{ name: 'dns', port: 8080, protocol: 'UDP' }]
    if (role === 'endpoints')
      await send('/api/v1/endpoints', 'MODIFIED', {
        ...ENDPOINTS,
        metadata: meta('web', { resourceVersion: '11' }),
        subsets: [{ ...ENDPOINTS.subsets[0]!, ports }],
      })
    else
      await send('/apis/discovery.k8s.io/v1/endpointslices', 'MODIFIED', {
        ...SLICE,
        metadata: { ...SLICE.metadata, resourceVersion: '11' },
        ports,
      })
    const url = 'http://10.1.0.5:8080/metrics'
    const name = role === 'endpoints' ? 'endpoint_port_name' : 'endpointslice_port_name'
    const found = await until((all) => all[url]?.[`__meta_kubernetes_${name}`] === 'dns')
    protocols.push(found[url]!['__meta_kubernetes_pod_container_port_protocol'])
  }
  assert.deepEqual(protocols, ['UDP', 'TCP'])
})

test('kubernetes: events of the watched collections change the targets, those referred to as well', async (t) => {
  const { until, send } = await cluster(t, 'role: endpoints')
  await until((all) => Object.keys(all).length === 3)
  const grown = { ...ENDPOINTS.subsets[0]!, notReadyAddresses: [] }
  await send('/api/v1/endpoints', 'MODIFIED', {
    ...ENDPOINTS,
    metadata: meta('web', { resourceVersion: '11' }),
    subsets: [grown],
  })
  await until((all) => Object.keys(all).length === 2)
  await send('/api/v1/services', 'MODIFIED', {
    ...SERVICE,
    metadata: meta('web', { resourceVersion: '12', labels: { tier: 'back' } }),
  })
  await until((all) => all['http://10.1.0.5:8080/metrics']?.['__meta_kubernetes_service_label_tier'] === 'back')
  await send('/api/v1/pods', 'MODIFIED', {
    ...POD,
    metadata: meta('web-1', { resourceVersion: '13', labels: { app: 'new' } }),
  })
  await until((all) => all['http://10.1.0.5:8080/metrics']?.['__meta_kubernetes_pod_label_app'] === 'new')
  await send('/api/v1/endpoints', 'DELETED', { ...ENDPOINTS, metadata: meta('web', { resourceVersion: '14' }) })
  await until((all) => Object.keys(all).length === 0)
})
