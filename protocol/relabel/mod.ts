/**
 * Relabelling of targets, samples and alerts.
 * Semantics: Prometheus model/relabel/relabel.go (v3.14).
 */
export {
  type CompiledRelabel,
  compileRelabel,
  expandGroups,
  type RelabelTrace,
  relabel,
  traceRelabel,
} from './apply.ts'
export {
  isLegacyTargetLabel,
  type NameValidationScheme,
  RELABEL_DEFAULTS,
  type RelabelAction,
  type RelabelConfig,
  RelabelError,
  type RelabelInput,
  validateRelabel,
  withRelabelDefaults,
} from './config.ts'
