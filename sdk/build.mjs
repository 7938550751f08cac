#!/usr/bin/env node
// Makes the two files that pages use out of sdk/src: `courtesy.mjs`, a module, and `courtesy.js`, a script that sets
// `window.courtesy`. Both are part of the server's package, so that nobody has to build anything. `--check` only
// compares.
import { readFileSync, writeFileSync } from 'node:fs'

const ORDER = ['device', 'queue', 'render', 'inbox', 'placements', 'index']
const OUT = '../src/courtesy/http/sdk/'
const NOTE = '// Courtesy for web pages. Apache-2.0. Made from sdk/src by sdk/build.mjs.\n'

const here = (name) => new URL(name, import.meta.url)
const codeOf = (names) => names
  .map((name) => readFileSync(here(`src/${name}.js`), 'utf8'))
  .join('\n')
  .replace(/^import .*\n/gm, '')
  .replace(/^export /gm, '')
  .replace(/^\s*\/\/.*\n/gm, '')
  .replace(/^ +/gm, '')
  .replace(/\n{2,}/g, '\n')

const made = {
  'courtesy.mjs': `${NOTE}${codeOf(ORDER)}export { init }\n`,
  'courtesy.js': `${NOTE}window.courtesy = (() => {\n'use strict'\n${codeOf([...ORDER, 'boot'])}return boot(document.currentScript, window.courtesy)\n})()\n`,
}
let isStale = false
for (const [name, text] of Object.entries(made)) {
  if (process.argv.includes('--check')) isStale ||= readFileSync(here(OUT + name), 'utf8') !== text
  else writeFileSync(here(OUT + name), text)
}
if (isStale) {
  console.error('sdk/ is stale: run node sdk/build.mjs')
  process.exit(1)
}
