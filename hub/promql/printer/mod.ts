/** PromQL trees to text, on one line or laid out. */
export { formatG } from './go-float.ts'
export { type PrettyOptions, prettyExpr } from './pretty.ts'
export { printDuration, printExpr } from './print.ts'
