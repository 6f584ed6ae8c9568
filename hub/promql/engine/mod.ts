/** The PromQL evaluator: columnar operators over a `SeriesReader`. */
export { evaluate, type Query } from './evaluate.ts'
