// Drives tabs of a Chromium or a Firefox, command by command: a JSON object a line in, one a line out.
//
// First line in: {name, executable, profile}. Then {tab, goto}, {tab, run} (an expression, its value comes back),
// {tab, key}, {tab, front}, {tab, size} ({width, height}), {tab, picture} (to a path), {offline}, {close}, and of
// Chromium {tab, media} (what the visitor prefers) and {tab, early} (a script that runs before those of any page).
import { createInterface } from 'node:readline'
import { chromium } from 'playwright-core'
import { launchFirefox } from './firefox.mjs'

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const next = async () => JSON.parse((await lines.next()).value)

const launchChromium = (profile, executablePath) => chromium.launchPersistentContext(profile, {
  executablePath,
  headless: true,
  args: [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
  ],
})

const { name, executable, profile } = await next()
const browser = await (name === 'firefox' ? launchFirefox : launchChromium)(profile, executable)
const tabs = new Map()
const failures = []

async function tabOf(name) {
  if (!tabs.has(name)) {
    const page = await browser.newPage()
    page.on('pageerror', (error) => failures.push(String(error)))
    tabs.set(name, page)
  }
  return tabs.get(name)
}

async function obey(told) {
  if ('offline' in told) return browser.setOffline(told.offline)
  const page = await tabOf(told.tab)
  if (told.goto) return void (await page.goto(told.goto))
  if (told.key) return page.keyboard.press(told.key)
  if (told.front) return page.bringToFront()
  if (told.size) return page.setViewportSize(told.size)
  if (told.early) return void (await page.addInitScript(told.early))
  if (told.media) return page.emulateMedia(told.media)
  if (told.picture) return void (await page.screenshot({ path: told.picture }))
  return page.evaluate(told.run)
}

for (;;) {
  const told = await next()
  if (told.close) break
  let answer
  try {
    answer = { value: (await obey(told)) ?? null }
  } catch (error) {
    answer = { error: String(error) }
  }
  process.stdout.write(JSON.stringify({ ...answer, failures }) + '\n')
}
await browser.close()
process.exit(0)
