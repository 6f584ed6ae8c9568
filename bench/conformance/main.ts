/**
 * `npm run conformance -- SUITE[,SUITE…] [PATH…]`: the cases of those suites through the production code. Without PATH,
 * those of `../shared/conformance/SUITE` (HELIO_CONFORMANCE); with PATH, any files or folders of the same format.
 * Lists failures, prints `N passed, N failed` last, and exits 1 if any failed.
 */
import fs from 'node:fs'
import { kitFolder, SUITES } from './suites.ts'

const [names, ...paths] = process.argv.slice(2)
if (!names || names === '--help') {
  console.error(`usage: npm run conformance -- SUITE[,SUITE…] [PATH…]\nsuites: ${Object.keys(SUITES).join(', ')}`)
  process.exit(names ? 0 : 2)
}

for (const given of paths) {
  if (fs.existsSync(given)) continue
  console.error(`No such file or folder: ${given}`)
  process.exit(2)
}

let passed = 0
let failed = 0
for (const name of names.split(',')) {
  const suite = SUITES[name]
  if (!suite) {
    console.error(`Unknown suite "${name}"; known are ${Object.keys(SUITES).join(', ')}`)
    process.exit(2)
  }
  const where = paths.length > 0 ? paths : kitFolder(name)
  if (where === null) {
    console.error(
      `No conformance data for ${name}: ../shared/conformance is absent; give a PATH or set HELIO_CONFORMANCE`,
    )
    process.exit(2)
  }
  for (const { name: title, error } of await suite(where)) {
    if (error === null) passed++
    else {
      failed++
      console.log(`FAIL ${name}: ${title}\n     ${error.replaceAll('\n', '\n     ')}`)
    }
  }
}
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed > 0 || passed === 0 ? 1 : 0)
