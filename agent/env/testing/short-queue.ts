/** A process for tests: listens for datagrams with the kernel's own queue and with a long one, and prints what was told of queues. */
import { createNet } from '../net.ts'
import type { OnShortQueue } from '../net-datagrams.ts'

const told: Parameters<OnShortQueue>[0][] = []
const net = createNet({ onShortQueue: (queue) => told.push(queue) })
for (const readBufferBytes of [0, 4096])
  await net.listenDatagrams!({
    address: { host: '127.0.0.1', port: 0 },
    readBufferBytes,
    onDatagrams: () => {},
    onError: () => {},
  })
process.stdout.write(JSON.stringify(told))
process.exit()
