import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CelValue, celOfJson, compileCel } from './cel.ts'

const BODY = celOfJson(
  '{"s":"qux","n":2.5,"i":3,"ok":true,"none":null,"list":[1,2,3],"users":[{"name":"a","age":30},{"name":"b","age":20}],"odd key":1,"m":{"k":"v"}}',
)

const values: readonly (readonly [expression: string, value: CelValue])[] = [
  ['body.s == "qux"', true],
  ["body.s == 'qux' && body.s.startsWith('q')", true],
  ['body.n > 2 && body.n <= 2.5', true],
  ['body.i == 3', true],
  ['body.i == 3.0', true],
  ['dyn(3) == 3.0', true],
  ['body.ok', true],
  ['!body.ok || body.none == null', true],
  ['body["odd key"] == 1', true],
  ['body.list[1] == 2', true],
  ['size(body.list) == 3 && body.list.size() == 3 && size(body.s) == 3', true],
  ['2 in body.list && !(4 in body.list) && "k" in body.m', true],
  ['has(body.m.k) && !has(body.m.x)', true],
  ['body.users.exists(u, u.name == "b" && u.age < 25)', true],
  ['body.users.all(u, u.age >= 20)', true],
  ['body.users.exists_one(u, u.age == 30)', true],
  ['body.users.filter(u, u.age > 25).map(u, u.name) == ["a"]', true],
  ['body.users.map(u, u.age > 25, u.name) == ["a"]', true],
  ['body.m == {"k": "v"}', true],
  ['body.s.matches("^q.x$") && body.s.contains("u") && body.s.endsWith("x")', true],
  ['1 + 2 * 3 - 8 / 3 % 2', 7n],
  ['(1 + 2) * 3', 9n],
  ['-2 + 1', -1n],
  ['7.0 / 2.0', 3.5],
  ['body.ok ? "yes" : "no"', 'yes'],
  ['"a" + \'b\' + r"\\n" + "\\x41\\u00e4"', 'ab\\nAä'],
  ['int("12") + int(3.9) == 15 && double("1.5") == 1.5 && string(7) == "7" && bool("true")', true],
  ['dyn("1") == 1', false],
  ['0x1F', 31n],
  ['body.missing.x == 1 || true', true],
  ['true || body.missing', true],
  ['body.missing && false', false],
  ['[1, 2,] == [1, 2]', true],
  ['body.list.all(x, body.list.exists(y, x == y)) // comment', true],
  ['timestamp("2020-01-01T00:00:00Z") < timestamp("2021-01-01T00:00:00+01:00")', true],
  ['timestamp("2020-01-01T00:00:00Z") + duration("24h") == timestamp("2020-01-02T00:00:00Z")', true],
  ['timestamp("2020-01-02T00:00:00Z") - timestamp("2020-01-01T00:00:00Z") == duration("24h")', true],
  ['duration("1h") > duration("1m") && duration("90s").getSeconds() == 90', true],
  ['timestamp("2020-02-29T23:30:15.5Z").getFullYear()', 2020n],
  ['timestamp("2020-02-29T23:30:15.5Z").getDayOfMonth() + timestamp(0).getMonth()', 28n],
  ['timestamp("2020-02-29T23:30:15.5Z").getDate("+01:00")', 1n],
  ['timestamp("2020-07-01T12:00:00Z").getHours("Europe/Berlin")', 14n],
  ['timestamp("2020-02-29T23:30:15.5Z").getMilliseconds()', 500n],
  ['string(timestamp("2020-01-01T00:00:00.25+01:00"))', '2019-12-31T23:00:00.25Z'],
  ['string(duration("90s")) + string(duration("-1500ms"))', '90s-1.5s'],
  ['int(timestamp("1970-01-01T00:01:00Z")) == 60 && timestamp(60) == timestamp("1970-01-01T00:01:00Z")', true],
  ['type(body.n) == double && type(body.s) == string && type(1) == int && type(body.none) == null_type', true],
  ['type(body.list) == list && type(body.m) == map && type(body.ok) == bool', true],
  ['bytes(body.s) == b"qux" && string(b"abc") == "abc" && b"\\xff".size() == 1 && size(b"\u00e4") == 2', true],
  ['has(body.n.x) || has(body.s.x)', false],
  ['string(1.5) + string(body.i) + string(true)', '1.53true'],
  ['[1, "a"] == [1]', false],
  ['-9223372036854775808 < 0 && -(-9223372036854775807) > 0', true],
  ['int("9223372036854775807") == 9223372036854775807', true],
  ['duration("1.5s").getMilliseconds()', 1500n],
  ['bool("t") && bool("1") && !bool("False")', true],
  ["r'\\' == '\\\\' && br\"a\" == b'a'", true],
  ['body.`odd key` == 1 && body.m.`k` == "v"', true],
]
for (const [expression, value] of values)
  test(`CEL ${expression}`, () => assert.deepEqual(compileCel(expression).evaluate(BODY), value))

const faults: readonly (readonly [expression: string, problem: RegExp])[] = [
  ['body.missing', /no such key: missing/],
  ['body.s.x', /no such overload/],
  ['body.list[7]', /index out of bounds/],
  ['1 / 0', /division by zero/],
  ['dyn(1) + 1.0', /no such overload/],
  ['dyn("a") < 1', /no such overload/],
  ['9223372036854775807 + 1', /integer overflow/],
  ['body.n && true', /a boolean is wanted/],
  ['int("x")', /no such overload/],
  ['int(" 1")', /no such overload/],
  ['int("1.5")', /no such overload/],
  ['int("0x10")', /no such overload/],
  ['double(" 1")', /no such overload/],
  ['bool("yes")', /no such overload/],
  ['timestamp("2020-01-01")', /type conversion error/],
  ['timestamp("9999-12-31T23:59:59Z") + duration("1s")', /timestamp overflow/],
  ['duration("999999999h")', /type conversion error|overflow/],
  [
    'body.list.map(a, body.list.map(b, body.list.map(c, body.list.map(d, body.list.map(e, body.list.map(f, body.list.map(g, body.list.map(h, body.list.map(i, body.list.map(j, body.list.map(k, 1))))))))))) == []',
    /cost limit/,
  ],
]
for (const [expression, problem] of faults)
  test(`CEL ${expression} fails`, () => assert.throws(() => compileCel(expression).evaluate(BODY), problem))

const refused: readonly (readonly [expression: string, problem: RegExp])[] = [
  ['', /unexpected "end" at offset 0/],
  // What upstream's type checker refuses.
  ['3 == 3.0', /no matching overload for '=='/],
  ['"1" == 1', /no matching overload/],
  ['1 + 1.0', /no matching overload for '\+' applied to '\(int, double\)'/],
  ['"a" < 1', /no matching overload/],
  ['"a" + 1 == 2', /no matching overload/],
  ['true ? 1 : "a"', /no matching overload/],
  ['!1', /no matching overload/],
  ['-true == 1', /no matching overload/],
  ['-1u == 1u', /no matching overload/],
  ['body.a && 1', /no matching overload/],
  ['1 || true', /no matching overload/],
  ['size(1) == 1', /no matching overload/],
  ['"a".startsWith(1)', /no matching overload/],
  ['[1, 2].all(x, x)', /no matching overload/],
  ['(1).all(x, true)', /cannot be range/],
  ['"a".b', /does not support field selection/],
  ['9223372036854775808 == 1', /invalid int literal/],
  ['18446744073709551616u == 1u', /invalid int literal/],
  ["'\\q' == ''", /unknown escape/],
  ['timestamp(1.5) == timestamp(1)', /no matching overload/],
  ['duration(1) == duration("1s")', /no matching overload/],
  ['b"\\u00e9" == b""', /unknown escape/],
  ['rb"a" == b"a"', /undeclared|unexpected/],
  ['1. == 1.0', /expected a field/],
  ['body.in == 1', /expected a field/],
  ['body.null == 1', /expected a field/],
  ['duration("1s").getDate() == 1', /no matching overload/],
  ['foo.bar', /undeclared reference to 'foo'/],
  ['body.x(', /unexpected|expected/],
  ['body.s.reverse()', /undeclared reference to 'reverse'/],
  ['unknown(1)', /undeclared reference to 'unknown'/],
  ['body.list.all(1, true)', /needs the name of a variable/],
  ['body.users.all(u, true) && u', /undeclared reference to 'u'/],
  ['has(body)', /has\(\) needs one field/],
  ['1 +', /unexpected "end"/],
  ['"open', /unexpected/],
  ['a b', /undeclared|unexpected/],
  ['('.repeat(500), /nested too deeply/],
  ['!'.repeat(500), /nested too deeply/],
]
for (const [expression, problem] of refused)
  test(`CEL ${expression.slice(0, 30)} is refused`, () => assert.throws(() => compileCel(expression), problem))

test('an expression of each item of a list is made once, and those of a body are paid for', { timeout: 10_000 }, () => {
  const body = celOfJson(JSON.stringify({ items: Array.from({ length: 30_000 }, (_, i) => ({ name: `abc${i}` })) }))
  const before = process.cpuUsage()
  assert.equal(compileCel('body.items.all(x, x.name.matches("^[a-z]+[0-9]{1,40}$"))').evaluate(body), true)
  assert.throws(() => compileCel('body.items.all(x, x.name.matches(x.name))').evaluate(body), /cost limit/)
  const { user, system } = process.cpuUsage(before)
  assert.ok((user + system) / 1e6 < 2, `${(user + system) / 1e6} s of CPU`)
})

test('JSON is read as strictly as by upstream', () => {
  for (const text of ['\ufeff{}', '{"a":1e400}', '{"a":-1e400}', '{"a":1,}', "{'a':1}", 'NaN', '{}x'])
    assert.throws(() => celOfJson(text), Error, text)
  assert.deepEqual(celOfJson('{"a":1e300,"b":1e-400}'), { a: 1e300, b: 0 })
})

test('what a body makes long is paid for by its length', () => {
  const texts = Array.from({ length: 40_000 }, (_, i) => `k${i}`)
  // Half a minute each when only the uses were counted.
  for (const expression of ['body.all(x, x in body)', 'body.all(x, body == body)', 'body.all(x, size(body) > 0)'])
    assert.throws(() => compileCel(expression).evaluate(texts), /cost limit/, expression)
  const zones = texts.map(() => '2020-07-01T00:00:00Z').slice(0, 20_000)
  const before = process.cpuUsage()
  const inZone = compileCel('body.all(x, timestamp(x).getHours("Europe/Berlin") == 2)')
  assert.equal(inZone.evaluate(zones), true)
  // 20,000 formats of a zone took four seconds.
  assert.ok(process.cpuUsage(before).user < 2_000_000)
})

test('long bytes are compared', () => {
  assert.equal(compileCel('bytes(body) == bytes(body) && bytes(body) < b"b"').evaluate('a'.repeat(500_000)), true)
})

test('types that double at each level are checked all the same', () => {
  const doubled = `[body]${'.map(x, {x: x})'.repeat(40)}`
  assert.doesNotThrow(() => compileCel(`${doubled} == ${doubled}`))
})
