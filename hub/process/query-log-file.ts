/** Where the query log goes. */
import path from 'node:path'
import type { Logger } from '../../protocol/env/mod.ts'
import type { QueryLog } from '../query/mod.ts'

/** A relative path stands beside the configuration. What cannot be opened is no reason to stop. @param file '': nowhere */
export function openQueryLog(queryLog: QueryLog, file: string, configFile: string, log: Logger): void {
  const beside = path.dirname(configFile)
  try {
    queryLog.apply(file === '' ? '' : path.resolve(beside, file))
  } catch (err) {
    log.error('Cannot open the query log; queries are not logged', { file, err })
  }
}
