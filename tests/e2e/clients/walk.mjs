// Walks through pages in Chromium as it is told, and says what it saw.
//
// In (standard input): {executable, axe, javaScript, viewport, headers, steps: [[name, ...arguments], ...]}.
// Out: {answers: [...], hosts, refused}.
//
// There is one answer for each step. `hosts` are all that the browser asked anything of, `refused` what a page's own
// policy kept it from. Steps: `open` a URL, `tick` and `untick` a box and `choose` a radio button by name and value,
// `press` a button by name and value, `unfold` all
// that is folded away, `fetch` the file that a button gives (its name and content), `type` into the field
// where one is, `tab` to a field by name and value with the keyboard alone (null: it was not reached),
// `key`, `text` of the page, `state` of every box and radio button, `axe` (violations), `layout`, `turn` the page to
// right-to-left, `framed` (go into the page's frame; the text there), `picture` of what is below the head to a path,
// or below a `top`.
import { chromium } from 'playwright-core'
import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'

const TABS_MAX = 120

const { executable, axe, javaScript, viewport, headers, steps } = JSON.parse(await text(process.stdin))

const browser = await chromium.launch({
  executablePath: executable,
  headless: true,
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost',
  ],
})
const context = await browser.newContext({
  javaScriptEnabled: javaScript,
  viewport,
  locale: 'en-GB',
  extraHTTPHeaders: headers,
})
const hosts = new Set()
const refused = []
context.on('request', (request) => hosts.add(new URL(request.url()).host))
const page = await context.newPage()
let here = page
page.on('console', (message) => message.type() === 'error' && refused.push(message.text()))

const field = (name, value) => (value ? `[name="${name}"][value="${value}"]` : `[name="${name}"]`)

const told = {
  open: async (url) => (await page.goto(url)).status(),
  tick: async (name, value) => here.check(field(name, value)),
  untick: async (name, value) => here.uncheck(field(name, value)),
  choose: async (name, value) => here.check(field(name, value)),
  press: async (name, value) => {
    await Promise.all([here.waitForNavigation(), here.click(name ? `button${field(name, value)}` : 'button')])
  },
  fetch: async (name, value) => {
    const [file] = await Promise.all([page.waitForEvent('download'), page.click(`button${field(name, value)}`)])
    return [file.suggestedFilename(), readFileSync(await file.path(), 'utf-8')]
  },
  unfold: async () => {
    for (const each of await here.$$('summary')) await each.click()
  },
  type: async (text) => page.keyboard.type(text),
  key: async (key, leads) => {
    await (leads ? Promise.all([page.waitForNavigation(), page.keyboard.press(key)]) : page.keyboard.press(key))
  },
  tab: async (name, value) => {
    for (let count = 1; count <= TABS_MAX; count++) {
      await page.keyboard.press('Tab')
      const there = await page.evaluate(() => {
        const { name, value } = document.activeElement
        return { name, value, outline: getComputedStyle(document.activeElement).outlineStyle }
      })
      if (there.name === name && (!value || there.value === value)) return there.outline
    }
    return null
  },
  text: async () => here.innerText('body'),
  state: async () =>
    page.$$eval('input[type=checkbox], input[type=radio]', (all) =>
      Object.fromEntries(all.filter((each) => each.checked).map((each) => [each.name, each.value])),
    ),
  axe: async () => {
    await page.evaluate(readFileSync(axe, 'utf-8'))
    const { violations } = await page.evaluate(() => globalThis.axe.run())
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ').slice(0, 300)}`)
  },
  layout: async () =>
    page.evaluate(() => {
      const of = (selector) => [...document.querySelectorAll(selector)].map((each) => each.getBoundingClientRect())
      const box = document.querySelector('.choice')
      return {
        wide: document.documentElement.scrollWidth,
        lowest: Math.min(...of('.choice, button, nav a').map((each) => each.height)),
        boxLeft: box?.querySelector('input').getBoundingClientRect().left,
        labelLeft: box?.querySelector('span').getBoundingClientRect().left,
      }
    }),
  turn: async () => page.evaluate(() => void (document.documentElement.dir = 'rtl')),
  framed: async () => {
    here = page.frames()[1]
    await here.waitForLoadState()
    return here.url().startsWith('chrome-error') ? '' : here.innerText('body')
  },
  picture: async (path, height, top) => {
    const y = top ?? (await page.locator('main').boundingBox()).y - 10
    await page.screenshot({ path, fullPage: true, clip: { x: 0, y, width: viewport.width, height } })
  },
}

const answers = []
for (const [name, ...given] of steps) answers.push((await told[name](...given)) ?? null)
await browser.close()
process.stdout.write(JSON.stringify({ answers, hosts: [...hosts], refused }))
