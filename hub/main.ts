/** `heliograph-hub`. All of it is in program.ts: what is imported before there is a cache is compiled anew at each start. */
import { enableCompileCache } from '../agent/env/compile-cache.ts'
import { keepYoungSpaceSmall, othersBeginSmall } from '../agent/env/young-space.ts'

// Of 33 MB that this thread's would grow to. Threads of ours have limits of their own, those of queries see query-pool.ts.
keepYoungSpaceSmall()
othersBeginSmall()
enableCompileCache(process.env)
const argv = process.argv.slice(2)
const { beginHubThreads } = await import('./env/threads-ahead.ts')
const pool = beginHubThreads(argv)
const { main } = await import('./program.ts')
await main(argv, pool)
