import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  COMMON_FUNCTIONS,
  formatDuration,
  formatTime,
  GoList,
  GoMap,
  goTime,
  sprintf,
  stringMap,
  TemplateSet,
  zone,
} from './mod.ts'

const data = new GoMap([
  ['name', 'web'],
  ['n', 3n],
  ['x', 2.5],
  ['on', true],
  ['items', new GoList(['a', 'b', 'c'])],
  ['none', new GoList([])],
  ['labels', stringMap({ job: 'node', instance: 'i1' })],
])

const render = (text: string, html = false): string => new TemplateSet({}).add('t', text).execute('t', data, { html })

// Each output is what Go 1.24 prints.
const rows: readonly (readonly [text: string, want: string])[] = [
  ['a{{/* comment */}}b', 'ab'],
  ['a {{- " b " -}} c', 'a b c'],
  ['a\n{{- /* x */ -}}\nb', 'ab'],
  ['{{ .name }} {{ .n }} {{ .x }} {{ .on }}', 'web 3 2.5 true'],
  ['{{ .items }} {{ .labels }}', '[a b c] map[instance:i1 job:node]'],
  ['{{ .missing }}|{{ .labels.missing }}', '<no value>|'],
  ['{{ if .none }}y{{ else if .on }}z{{ else }}n{{ end }}', 'z'],
  ['{{ with .none }}y{{ else with .name }}{{ . }}{{ end }}', 'web'],
  ['{{ range $i, $e := .items }}{{ $i }}={{ $e }},{{ end }}', '0=a,1=b,2=c,'],
  ['{{ range $k, $v := .labels }}{{ $k }}={{ $v }},{{ end }}', 'instance=i1,job=node,'],
  ['{{ range .none }}x{{ else }}empty{{ end }}', 'empty'],
  ['{{ range .items }}{{ if eq . "b" }}{{ continue }}{{ end }}{{ . }}{{ end }}', 'ac'],
  ['{{ range .items }}{{ if eq . "b" }}{{ break }}{{ end }}{{ . }}{{ end }}', 'a'],
  ['{{ range 3 }}{{ . }}{{ end }}', '012'],
  ['{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}', '2'],
  ['{{ $x := 1 }}{{ if true }}{{ $x := 2 }}{{ end }}{{ $x }}', '1'],
  ['{{ define "d" }}<{{ . }}>{{ end }}{{ template "d" .name }}', '<web>'],
  ['{{ block "b" .n }}{{ . }}!{{ end }}', '3!'],
  ['{{ and .on .n }} {{ or .none "d" }} {{ not .on }}', '3 d false'],
  ['{{ and .none (index .items 99) }}', '[]'],
  ['{{ index .labels "job" }} {{ index .items 1 }} {{ slice "abcdef" 1 3 }} {{ len .items }}', 'node b bc 3'],
  ['{{ eq 1 2 1 }} {{ ne "a" "b" }} {{ lt 1 2 }} {{ ge 2.5 2.5 }}', 'true true true true'],
  [
    '{{ printf "%05.1f|%-4d|%4s|%q|%x|%t|%v" 3.14159 7 "ab" "q" "hi" true .items }}',
    '003.1|7   |  ab|"q"|6869|true|[a b c]',
  ],
  ['{{ printf "%d %s" 1.5 }}', '%!d(float64=1.5) %!s(MISSING)'],
  ['{{ printf "%d" 1 2 }}', '1%!(EXTRA int=2)'],
  ['{{ print 1 2 "a" "b" 3 }}', '1 2a b3'.replace('a b', 'ab')],
  ['{{ "a b&c" | urlquery }} {{ html "<a>" }} {{ js "it\'s" }}', "a+b%26c &lt;a&gt; it\\'s"],
  ['{{ 0x10 }} {{ 1_000 }} {{ 1e3 }} {{ \'a\' }} {{ `raw\\n` }} {{ "t\\tx" }}', '16 1000 1000 97 raw\\n t\tx'],
  ['{{ (index .items 0) }}{{ ("x" | printf "%s-%s" "y") }}', 'ay-x'],
  ['{{ 1000000.0 }} {{ 0.00001 }} {{ 123456.0 }}', '1e+06 1e-05 123456'],
]
for (const [text, want] of rows) test(`renders ${text}`, () => assert.equal(render(text), want))

const broken: readonly (readonly [text: string, problem: string])[] = [
  ['{{', 'template: t:1: unclosed action'],
  ['{{ if }}{{ end }}', 'template: t:1: missing value for if'],
  ['{{ if .x }}', 'template: t:1: unexpected EOF'],
  ['{{ end }}', 'template: t:1: unexpected {{end}}'],
  ['{{ .a }', 'template: t:1: unexpected "}" in operand'],
  ['\n{{ nope 1 }}', 'template: t:2: function "nope" not defined'],
  ['{{ $y }}', 'template: t:1: undefined variable "$y"'],
  ['{{ "a }}', 'template: t:1: unterminated quoted string'],
  ['{{ break }}', 'template: t:1: {{break}} outside {{range}}'],
  ['{{ 1 | 2 }}', 'template: t:1: non executable command in pipeline stage 2'],
  ['{{ (1 }}', 'template: t:1: unclosed left paren'],
  ['{{ template "no" }}', 'template: t:1:12: executing "t" at <{{template "no"}}>: template "no" not defined'],
  ['{{ .name.first }}', `template: t:1:8: executing "t" at <.name.first>: can't evaluate field first in type string`],
  [
    '{{ index .items 9 }}',
    'template: t:1:3: executing "t" at <index .items 9>: error calling index: index out of range: 9',
  ],
  [
    '{{ lt 1 "a" }}',
    'template: t:1:3: executing "t" at <lt 1 "a">: error calling lt: incompatible types for comparison',
  ],
  ['{{ define "r" }}{{ template "r" }}{{ end }}{{ template "r" }}', 'exceeded maximum template depth (1000)'],
]
for (const [text, problem] of broken)
  test(`refuses ${JSON.stringify(text)}`, () =>
    assert.throws(
      () => render(text),
      (error) => (error as Error).message.includes(problem) || assert.fail((error as Error).message),
    ))

const html: readonly (readonly [text: string, want: string])[] = [
  ['<p>{{ "<b>&\'" }}</p>', '<p>&lt;b&gt;&amp;&#39;</p>'],
  ['<a title="{{ "\\"x\\" y" }}">', '<a title="&#34;x&#34; y">'],
  ['<a href="{{ "javascript:alert(1)" }}">', '<a href="#ZgotmplZ">'],
  ['<a href="{{ "https://h/a b?c=d" }}">', '<a href="https://h/a%20b?c=d">'],
  ['<a href="/q?x={{ "a&b c" }}">', '<a href="/q?x=a%26b%20c">'],
  ['<script>var x = {{ "</script>" }}</script>{{ "<" }}', '<script>var x = "\\u003c/script\\u003e"</script>&lt;'],
  ['<!-- {{ "x" }} -->{{ "<" }}', '<!--  -->&lt;'],
]
for (const [text, want] of html) test(`escapes in ${text}`, () => assert.equal(render(text, true), want))

test('any text without an action is itself', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('{{')),
      (text) => assert.equal(render(text), text),
    ),
  )
})

test('any string constant is printed as it is', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      if (!text.isWellFormed()) return
      assert.equal(render(`{{ ${JSON.stringify(text).replaceAll('\\/', '/')} }}`), text)
    }),
  )
})

test('any text ends as output or as a TemplateError', () => {
  const piece = fc.constantFrom(
    '{{',
    '}}',
    '.',
    '$x',
    ':=',
    '|',
    '(',
    ')',
    'if',
    'end',
    'range',
    '"s"',
    '1',
    ' ',
    '-',
    '.a',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 14 }), (pieces) => {
      try {
        render(pieces.join(''))
      } catch (error) {
        assert.equal((error as Error).name, 'TemplateError', String((error as Error).stack))
      }
    }),
    { numRuns: 2000 },
  )
})

test('times are laid out as Go does', () => {
  const ns = BigInt(Date.UTC(2024, 0, 5, 8, 15, 30)) * 1_000_000n + 120_000_000n
  const paris = zone('Europe/Paris')!
  const layouts: readonly (readonly [layout: string, want: string])[] = [
    ['2006-01-02T15:04:05.999999999Z07:00', '2024-01-05T09:15:30.12+01:00'],
    ['Mon, 2 Jan 06 3:04PM -0700 MST', 'Fri, 5 Jan 24 9:15AM +0100 CET'],
    ['Monday _2 January 002', 'Friday  5 January 005'],
    ['05.000', '30.120'],
  ]
  for (const [layout, want] of layouts) assert.equal(formatTime({ ns, zone: paris }, layout), want)
  assert.equal(formatTime({ ns, zone: zone('')! }, '15:04 Z07:00'), '08:15 Z')
  assert.equal(zone('No/Where'), null)
  assert.equal(new TemplateSet({}).add('t', '{{ .Unix }} {{ .Weekday }}').execute('t', goTime(ns)), '1704442530 Friday')
  assert.equal(formatDuration(3_661_500_000_000n), '1h1m1.5s')
})

test('sprintf bounds what it is asked for', () => assert.ok(sprintf('%999999999d', [1n]).length <= 1_000_000))

const callErrors: readonly (readonly [text: string, message: string])[] = [
  ['{{ toUpper }}', 'executing "t" at <toUpper>: wrong number of args for toUpper: want 1 got 0'],
  ['{{ toUpper "a" .b }}', 'executing "t" at <toUpper>: wrong number of args for toUpper: want 1 got 2'],
  ['{{ toUpper 1 }}', 'executing "t" at <1>: expected string; found 1'],
  ['{{ toUpper nil }}', 'executing "t" at <nil>: cannot assign nil to string'],
  ['{{ 1 | toUpper }}', 'executing "t" at <toUpper>: wrong type for value; expected string; got int'],
  [
    '{{ reReplaceAll "(" "x" "y" }}',
    'executing "t" at <reReplaceAll "(" "x" "y">: error calling reReplaceAll: regexp: Compile(`(`): error parsing regexp: missing closing ): `(`',
  ],
]
for (const [text, message] of callErrors)
  test(`a call that cannot be: ${text}`, () =>
    assert.throws(
      () => new TemplateSet(COMMON_FUNCTIONS).add('t', text).execute('t', stringMap({ b: 'c' })),
      (error: Error) => error.message.includes(message) || assert.fail(error.message),
    ))
