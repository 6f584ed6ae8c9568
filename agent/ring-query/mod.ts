/** Questions to the agent's own ring: plain selectors, answered without a hub. */
export { answerRingQuery, type RingAnswer, type RingQuery } from './answer.ts'
export { ringApi } from './api.ts'
export { RingQueryError, RingSelector } from './select.ts'
export { serveRingBus, serveRingHttp } from './serve.ts'
