/** How long the calling thread has been on a core, in ms: what a piece of work costs, however busy the machine is. */
export function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}
