/** Names, units and helps of one sensor value. Semantics: node_exporter hwmon_linux.go, updateHwmon. */
import type { FamilyType } from '../../protocol/exposition/mod.ts'
import { cleanName } from './collector.ts'

type SensorMetric = {
  readonly type: FamilyType
  readonly name: string
  readonly help: string
  readonly value: number
}

const MILLI = 0.001
const MEGA = 1_000_000

/** @param hasPlain whether the sensor has a file without property (`pwm1`) beside `pwm1_input` */
export function sensorMetric(type: string, element: string, value: number, hasPlain: boolean): SensorMetric {
  const gauge = (name: string, help: string, v: number): SensorMetric => ({ type: 'gauge', name, help, value: v })
  if (type === 'beep_enable') return gauge('beep_enabled', 'Hardware beep enabled', value === 1 ? 1 : 0)
  if (type === 'vrm') return gauge('voltage_regulator_version', 'Hardware voltage regulator', value)
  if (type === 'update_interval')
    return gauge('update_interval_seconds', 'Hardware monitor update interval', value * MILLI)

  let name = type
  if (element === 'input') name += hasPlain ? '_input' : ''
  else if (element !== '') name += `_${cleanName(element)}`

  if (element === 'fault' || element === 'alarm')
    return gauge(name, `Hardware sensor ${element} status (${type})`, value)
  if (element === 'beep') return gauge(`${name}_enabled`, 'Hardware monitor sensor has beeping enabled', value)
  switch (type) {
    case 'in':
    case 'cpu':
      return gauge(`${name}_volts`, `Hardware monitor for voltage (${element})`, value * MILLI)
    case 'temp':
      if (element === 'type') break
      return gauge(`${name}_celsius`, `Hardware monitor for temperature (${element})`, value * MILLI)
    case 'curr':
      return gauge(`${name}_amps`, `Hardware monitor for current (${element})`, value * MILLI)
    case 'energy': {
      const help = `Hardware monitor for joules used so far (${element})`
      return { type: 'counter', name: `${name}_joule_total`, help, value: value / MEGA }
    }
    case 'power':
      if (element === 'accuracy') return gauge(name, 'Hardware monitor power meter accuracy, as a ratio', value / MEGA)
      if (/^average_interval(?:_min|_max)?$/.test(element)) {
        const help = `Hardware monitor power usage update interval (${element})`
        return gauge(`${name}_seconds`, help, value * MILLI)
      }
      return gauge(`${name}_watt`, `Hardware monitor for power usage in watts (${element})`, value / MEGA)
    case 'humidity': {
      const help = `Hardware monitor for humidity, as a ratio (multiply with 100.0 to get the humidity as a percentage) (${element})`
      return gauge(name, help, value / MEGA)
    }
    case 'fan':
      if (!/^(?:input|min|max|target)$/.test(element)) break
      return gauge(`${name}_rpm`, `Hardware monitor for fan revolutions per minute (${element})`, value)
    case 'freq':
      if (element !== 'input') break
      return gauge(`${name}_freq_mhz`, 'Hardware monitor for GPU frequency in MHz', value / MEGA)
  }
  return gauge(name, `Hardware monitor ${type} element ${element}`, value)
}
