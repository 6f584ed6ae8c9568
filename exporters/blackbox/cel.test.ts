import assert from 'node:assert/strict'
import { test } from 'node:test'
import { celOfJson, compileCel } from './cel.ts'
import type { CelValue } from './cel-parse.ts'

const BODY = celOfJson(
  '{"s":"qux","n":2.5,"i":3,"ok":true,"none":null,"list":[1,2,3],"users":[{"name":"a","age":30},{"name":"b","age":20}],"odd key":1,"m":{"k":"v"}}',
)

const values: readonly (readonly [expression: string, value: CelValue])[] = [
  ['body.s == "qux"', true],
  ["body.s == 'qux' && body.s.startsWith('q')", true],
  ['body.n > 2 && body.n <= 2.5', true],
  ['body.i == 3', true],
  ['body.i == 3.0', true],
  ['3 == 3.0', true],
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
  ['"1" == 1', false],
  ['0x1F', 31n],
  ['body.missing.x == 1 || true', true],
  ['true || body.missing', true],
  ['body.missing && false', false],
  ['[1, 2,] == [1, 2]', true],
  ['body.list.all(x, body.list.exists(y, x == y)) // comment', true],
]
for (const [expression, value] of values)
  test(`CEL ${expression}`, () => assert.deepEqual(compileCel(expression).evaluate(BODY), value))

const faults: readonly (readonly [expression: string, problem: RegExp])[] = [
  ['body.missing', /no such key: missing/],
  ['body.s.x', /no such overload/],
  ['body.list[7]', /index out of bounds/],
  ['1 / 0', /division by zero/],
  ['1 + 1.0', /no such overload/],
  ['"a" < 1', /no such overload/],
  ['9223372036854775807 + 1', /integer overflow/],
  ['body.n && true', /a boolean is wanted/],
  ['int("x")', /no such overload/],
  [
    'body.list.map(a, body.list.map(b, body.list.map(c, body.list.map(d, body.list.map(e, body.list.map(f, body.list.map(g, body.list.map(h, body.list.map(i, body.list.map(j, body.list.map(k, 1))))))))))) == []',
    /cost limit/,
  ],
]
for (const [expression, problem] of faults)
  test(`CEL ${expression} fails`, () => assert.throws(() => compileCel(expression).evaluate(BODY), problem))

const refused: readonly (readonly [expression: string, problem: RegExp])[] = [
  ['', /unexpected "end" at offset 0/],
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
