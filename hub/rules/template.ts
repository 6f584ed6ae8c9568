/**
 * Templates of alert labels and annotations. The expander runs them on Go's template language with the variables that
 * rules have; queries are answered before they run on. Semantics: Prometheus template/template.go, rules/alerting.go.
 */
import { type Labels, labelsToObject } from '../../protocol/labels/mod.ts'
import type { Histogram } from '../../protocol/samples/mod.ts'
import { formatHistogram } from '../promql/engine/mod.ts'
import { GoStruct, stringMap, TemplateError, TemplateSet, type Value } from '../template/mod.ts'
import type { VectorSample } from './alerting.ts'
import { templateFunctions } from './template-functions.ts'

/** Runs an instant query at the time of the evaluation. */
export type TemplateQuery = (expr: string) => Promise<readonly VectorSample[]>

export type ExpandOptions = {
  readonly name: string
  readonly nowMs: number
  readonly externalUrl: string
  readonly query: TemplateQuery
  readonly html?: boolean
  readonly missingKey?: 'zero' | 'error'
}

/** Those that upstream counts among its features: all but the one that runs other templates. */
export function templateFunctionNames(): string[] {
  const context = { nowMs: 0, externalUrl: '', query: () => [], run: () => '' }
  return Object.keys(templateFunctions(context)).filter((name) => name !== 'tmpl')
}

/** More queries than that in one template are taken for a mistake. */
const QUERIES_MAX = 100

class Asked extends Error {
  readonly expr: string
  constructor(expr: string) {
    super('a query is to be answered first')
    this.expr = expr
  }
}

/** @throws TemplateError `error parsing template NAME: …` or `error executing template NAME: …` */
export async function expand(text: string, data: Value, options: ExpandOptions): Promise<string> {
  const { name, nowMs, externalUrl, query } = options
  const answers = new Map<string, readonly VectorSample[] | Error>()
  const set: TemplateSet = new TemplateSet(
    templateFunctions({
      nowMs,
      externalUrl,
      run: (other, dot) => {
        if (!set.has(other))
          throw new Error(
            options.html
              ? `html/template: ${JSON.stringify(other)} is undefined`
              : `template: no template ${JSON.stringify(other)} associated with template ${JSON.stringify(name)}`,
          )
        return set.execute(other, dot, { html: options.html ?? false, isSignal })
      },
      // Templates run at once and queries do not: the template stops at an open one and runs again with its answer.
      query: (expr) => {
        const answer = answers.get(expr)
        if (answer === undefined) throw new Asked(expr)
        if (answer instanceof Error) throw answer
        return answer
      },
    }),
  )
  try {
    set.add(name, text)
  } catch (error) {
    throw new TemplateError(`error parsing template ${name}: ${(error as Error).message}`, { cause: error })
  }
  for (;;) {
    try {
      return set.execute(name, data, {
        html: options.html ?? false,
        missingKey: options.missingKey ?? 'zero',
        isSignal,
      })
    } catch (error) {
      if (!(error instanceof Asked))
        throw new TemplateError(`error executing template ${name}: ${(error as Error).message}`, { cause: error })
      if (answers.size >= QUERIES_MAX)
        throw new TemplateError(`error executing template ${name}: more than ${QUERIES_MAX} different queries`)
      answers.set(error.expr, await query(error.expr).catch((err: Error) => err))
    }
  }
}

const isSignal = (error: unknown): boolean => error instanceof Asked

/** Gives the names that rule authors use to the fields of the data. */
const VARIABLES =
  '{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}'

/** What Go calls the type of its data, in errors. */
const DATA_TYPE =
  'struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value interface {} }'

export type AlertTemplateData = {
  readonly labels: Labels
  readonly value: number | Histogram
  readonly externalLabels: Labels
  readonly externalUrl: string
}

export type AlertExpander = (text: string) => Promise<string>

/** For the labels and annotations of one alert. A template that fails gives upstream's text in its place. */
export function alertExpander(
  alertName: string,
  { labels, value, externalLabels, externalUrl }: AlertTemplateData,
  { nowMs, query }: { readonly nowMs: number; readonly query: TemplateQuery },
): AlertExpander {
  const data = new GoStruct(DATA_TYPE, {
    Labels: stringMap(labelsToObject(labels)),
    ExternalLabels: stringMap(labelsToObject(externalLabels)),
    ExternalURL: externalUrl,
    Value: typeof value === 'number' ? value : histogramValue(value),
  })
  return async (text) => {
    if (!text.includes('{{')) return text
    try {
      return await expand(VARIABLES + text, data, { name: `__alert_${alertName}`, nowMs, externalUrl, query })
    } catch (error) {
      return `<error expanding template: ${(error as Error).message}>`
    }
  }
}

/** It prints itself. */
function histogramValue(histogram: Histogram): GoStruct {
  return new GoStruct('*histogram.FloatHistogram', {}, { String: () => formatHistogram(histogram) })
}

/** The problem of a rule's label or annotation, or null. Semantics: Prometheus model/rulefmt, testTemplateParsing. */
export function checkTemplate(text: string, alertName: string): string | null {
  try {
    const functions = templateFunctions({ nowMs: 0, externalUrl: '', query: () => [], run: () => '' })
    new TemplateSet(functions).add(`__alert_${alertName}`, VARIABLES + text)
    return null
  } catch (error) {
    return (error as Error).message
  }
}
