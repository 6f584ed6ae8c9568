/** Unit tests of rule files, as `promtool test rules` runs them: input series, rules, expected alerts and values. */
export { loadUnitTests, type UnitTestFile } from './file.ts'
export { runUnitTests } from './run.ts'
