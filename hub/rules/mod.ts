/** Recording and alerting rules: files, evaluation, alert states. */
export type { ActiveAlert, AlertContext, RuleSample, VectorSample } from './alerting.ts'
export { duplicateRules } from './duplicates.ts'
export { Group, type RuleStatus, type RuleTimes } from './group.ts'
export { type ManagerOptions, nextSlot, RuleManager } from './manager.ts'
export { loadRuleFile, type Rule, type RuleGroup } from './rule-file.ts'
export { type ExpandOptions, expand, templateFunctionNames } from './template.ts'
