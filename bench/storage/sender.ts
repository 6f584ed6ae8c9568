/** Sends prepared remote write requests over kept connections, a few at a time, and insists that each is taken. */
import http from 'node:http'
import { readRequests } from './write-file.ts'

const IN_FLIGHT = 4
const HEADERS = {
  'content-type': 'application/x-protobuf',
  'content-encoding': 'snappy',
  'x-prometheus-remote-write-version': '0.1.0',
}

/**
 * The requests [from, to) of `file`; resolves when all are acknowledged. Those of a series must not overtake each other:
 * where a step has but a few requests, they go one by one.
 * @throws Error for any answer but 2xx
 */
export async function sendRequests(
  url: string,
  file: string,
  from: number,
  to: number,
  requestsPerStep: number,
): Promise<void> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: IN_FLIGHT })
  const bodies = readRequests(file, from, to)
  const send = async (): Promise<void> => {
    for (let next = bodies.next(); !next.done; next = bodies.next()) await post(agent, url, next.value)
  }
  try {
    const lanes = requestsPerStep > 8 * IN_FLIGHT ? IN_FLIGHT : 1
    await Promise.all(Array.from({ length: lanes }, send))
  } finally {
    agent.destroy()
  }
}

function post(agent: http.Agent, url: string, body: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = http.request(
      url,
      { agent, method: 'POST', headers: { ...HEADERS, 'content-length': body.length } },
      (response) => {
        const parts: Buffer[] = []
        response.on('data', (part: Buffer) => parts.push(part))
        response.on('end', () => {
          if (response.statusCode! >= 200 && response.statusCode! < 300) resolve()
          else reject(new Error(`${url} answered ${response.statusCode}: ${Buffer.concat(parts)}`))
        })
        response.on('error', reject)
      },
    )
    request.on('error', reject)
    request.end(body)
  })
}
