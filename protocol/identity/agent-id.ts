/** Agent ids: subject tokens made from host names, so that an operator recognises the host in them. */
const MAX_LENGTH = 64
const DIGEST_LENGTH = 6

/**
 * The first label of a host name as an agent id (`^[a-z0-9][a-z0-9-]{0,63}$`): lower case, anything else a dash.
 * @example agentIdFromHostName('Web_1.example.org') // 'web-1'
 */
export function agentIdFromHostName(hostName: string): string {
  return (
    slug(hostName.split('.')[0] ?? '')
      .slice(0, MAX_LENGTH)
      .replace(/-+$/, '') || 'agent'
  )
}

/**
 * Host name and the end of the public key: two hosts called `localhost` do not become one agent.
 * @param publicKey `U…`
 * @example agentIdFor('web-1', 'UDXU…5QAE7A') // 'web-1-5qae7a'
 */
export function agentIdFor(hostName: string, publicKey: string): string {
  const digest = publicKey.slice(-DIGEST_LENGTH).toLowerCase()
  const host = agentIdFromHostName(hostName)
    .slice(0, MAX_LENGTH - DIGEST_LENGTH - 1)
    .replace(/-+$/, '')
  return `${host}-${digest}`
}

const slug = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
