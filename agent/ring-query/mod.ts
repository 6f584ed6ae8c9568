/** Questions to the agent's own ring: plain selectors, answered without a hub. */
export { answerRingQuery, type RingAnswer, type RingQuery } from './answer.ts'
export { decodeRingRequest, ringApi } from './api.ts'
export { RingQueryError, RingSelector } from './select.ts'
