/**
 * Which column of HAProxy's CSV becomes which metric, for each kind of row.
 * Semantics: haproxy_exporter haproxy_exporter.go, frontendMetrics, backendMetrics, serverMetrics (v0.15).
 */
import type { FamilyType } from '../../protocol/exposition/mod.ts'

/** Column (from 0), type, name without `haproxy_<kind>_`, help, and the value of the label `code`, if it has one. */
export type Column = readonly [index: number, type: FamilyType, name: string, help: string, code?: string]

export const STATUS_COLUMN = 17
/** Told in milliseconds, exported in seconds. */
export const MILLISECOND_COLUMNS: readonly number[] = [38, 58, 59, 60, 61]

const HTTP_RESPONSES: readonly Column[] = ['1xx', '2xx', '3xx', '4xx', '5xx', 'other'].map((code, i) => [
  39 + i,
  'counter',
  'http_responses_total',
  'Total of HTTP responses.',
  code,
])

export const FRONTEND: readonly Column[] = [
  [4, 'gauge', 'current_sessions', 'Current number of active sessions.'],
  [5, 'gauge', 'max_sessions', 'Maximum observed number of active sessions.'],
  [6, 'gauge', 'limit_sessions', 'Configured session limit.'],
  [7, 'counter', 'sessions_total', 'Total number of sessions.'],
  [8, 'counter', 'bytes_in_total', 'Current total of incoming bytes.'],
  [9, 'counter', 'bytes_out_total', 'Current total of outgoing bytes.'],
  [10, 'counter', 'requests_denied_total', 'Total of requests denied for security.'],
  [12, 'counter', 'request_errors_total', 'Total of request errors.'],
  [33, 'gauge', 'current_session_rate', 'Current number of sessions per second over last elapsed second.'],
  [34, 'gauge', 'limit_session_rate', 'Configured limit on new sessions per second.'],
  [35, 'gauge', 'max_session_rate', 'Maximum observed number of sessions per second.'],
  ...HTTP_RESPONSES,
  [48, 'counter', 'http_requests_total', 'Total HTTP requests.'],
  [51, 'counter', 'compressor_bytes_in_total', 'Number of HTTP response bytes fed to the compressor'],
  [52, 'counter', 'compressor_bytes_out_total', 'Number of HTTP response bytes emitted by the compressor'],
  [53, 'counter', 'compressor_bytes_bypassed_total', 'Number of bytes that bypassed the HTTP compressor'],
  [54, 'counter', 'http_responses_compressed_total', 'Number of HTTP responses that were compressed'],
  [79, 'counter', 'connections_total', 'Total number of connections'],
]

export const BACKEND: readonly Column[] = [
  [2, 'gauge', 'current_queue', 'Current number of queued requests not assigned to any server.'],
  [3, 'gauge', 'max_queue', 'Maximum observed number of queued requests not assigned to any server.'],
  [4, 'gauge', 'current_sessions', 'Current number of active sessions.'],
  [5, 'gauge', 'max_sessions', 'Maximum observed number of active sessions.'],
  [6, 'gauge', 'limit_sessions', 'Configured session limit.'],
  [7, 'counter', 'sessions_total', 'Total number of sessions.'],
  [8, 'counter', 'bytes_in_total', 'Current total of incoming bytes.'],
  [9, 'counter', 'bytes_out_total', 'Current total of outgoing bytes.'],
  [13, 'counter', 'connection_errors_total', 'Total of connection errors.'],
  [14, 'counter', 'response_errors_total', 'Total of response errors.'],
  [15, 'counter', 'retry_warnings_total', 'Total of retry warnings.'],
  [16, 'counter', 'redispatch_warnings_total', 'Total of redispatch warnings.'],
  [17, 'gauge', 'up', 'Current health status of the backend (1 = UP, 0 = DOWN).'],
  [18, 'gauge', 'weight', 'Total weight of the servers in the backend.'],
  [19, 'gauge', 'current_server', 'Current number of active servers'],
  [
    30,
    'counter',
    'server_selected_total',
    'Total number of times a server was selected, either for new sessions, or when re-dispatching.',
  ],
  [33, 'gauge', 'current_session_rate', 'Current number of sessions per second over last elapsed second.'],
  [35, 'gauge', 'max_session_rate', 'Maximum number of sessions per second.'],
  ...HTTP_RESPONSES,
  [49, 'counter', 'client_aborts_total', 'Total number of data transfers aborted by the client.'],
  [50, 'counter', 'server_aborts_total', 'Total number of data transfers aborted by the server.'],
  [51, 'counter', 'compressor_bytes_in_total', 'Number of HTTP response bytes fed to the compressor'],
  [52, 'counter', 'compressor_bytes_out_total', 'Number of HTTP response bytes emitted by the compressor'],
  [53, 'counter', 'compressor_bytes_bypassed_total', 'Number of bytes that bypassed the HTTP compressor'],
  [54, 'counter', 'http_responses_compressed_total', 'Number of HTTP responses that were compressed'],
  [58, 'gauge', 'http_queue_time_average_seconds', 'Avg. HTTP queue time for last 1024 successful connections.'],
  [59, 'gauge', 'http_connect_time_average_seconds', 'Avg. HTTP connect time for last 1024 successful connections.'],
  [60, 'gauge', 'http_response_time_average_seconds', 'Avg. HTTP response time for last 1024 successful connections.'],
  [61, 'gauge', 'http_total_time_average_seconds', 'Avg. HTTP total time for last 1024 successful connections.'],
]

export const SERVER: readonly Column[] = [
  [2, 'gauge', 'current_queue', 'Current number of queued requests assigned to this server.'],
  [3, 'gauge', 'max_queue', 'Maximum observed number of queued requests assigned to this server.'],
  [4, 'gauge', 'current_sessions', 'Current number of active sessions.'],
  [5, 'gauge', 'max_sessions', 'Maximum observed number of active sessions.'],
  [6, 'gauge', 'limit_sessions', 'Configured session limit.'],
  [7, 'counter', 'sessions_total', 'Total number of sessions.'],
  [8, 'counter', 'bytes_in_total', 'Current total of incoming bytes.'],
  [9, 'counter', 'bytes_out_total', 'Current total of outgoing bytes.'],
  [13, 'counter', 'connection_errors_total', 'Total of connection errors.'],
  [14, 'counter', 'response_errors_total', 'Total of response errors.'],
  [15, 'counter', 'retry_warnings_total', 'Total of retry warnings.'],
  [16, 'counter', 'redispatch_warnings_total', 'Total of redispatch warnings.'],
  [17, 'gauge', 'up', 'Current health status of the server (1 = UP, 0 = DOWN).'],
  [18, 'gauge', 'weight', 'Current weight of the server.'],
  [21, 'counter', 'check_failures_total', 'Total number of failed health checks.'],
  [24, 'counter', 'downtime_seconds_total', 'Total downtime in seconds.'],
  [
    30,
    'counter',
    'server_selected_total',
    'Total number of times a server was selected, either for new sessions, or when re-dispatching.',
  ],
  [33, 'gauge', 'current_session_rate', 'Current number of sessions per second over last elapsed second.'],
  [35, 'gauge', 'max_session_rate', 'Maximum observed number of sessions per second.'],
  [38, 'gauge', 'check_duration_seconds', 'Previously run health check duration, in seconds'],
  ...HTTP_RESPONSES,
  [49, 'counter', 'client_aborts_total', 'Total number of data transfers aborted by the client.'],
  [50, 'counter', 'server_aborts_total', 'Total number of data transfers aborted by the server.'],
  [58, 'gauge', 'http_queue_time_average_seconds', 'Avg. HTTP queue time for last 1024 successful connections.'],
  [59, 'gauge', 'http_connect_time_average_seconds', 'Avg. HTTP connect time for last 1024 successful connections.'],
  [60, 'gauge', 'http_response_time_average_seconds', 'Avg. HTTP response time for last 1024 successful connections.'],
  [61, 'gauge', 'http_total_time_average_seconds', 'Avg. HTTP total time for last 1024 successful connections.'],
]
