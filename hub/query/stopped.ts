/** What a query that was stopped is told. Semantics: Prometheus promql/engine.go, contextDone and the query queue. */
import { ApiError, FLAG_TIMEOUT } from './contract.ts'

export function inQueue(flag: number): ApiError {
  return flag === FLAG_TIMEOUT
    ? new ApiError('timeout', 'query timed out in query queue')
    : new ApiError('canceled', 'query was canceled in query queue')
}

export function inEvaluation(flag: number): ApiError {
  return flag === FLAG_TIMEOUT
    ? new ApiError('timeout', 'query timed out in expression evaluation')
    : new ApiError('canceled', 'query was canceled in expression evaluation')
}
