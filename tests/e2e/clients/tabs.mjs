// Drives tabs of a Chromium, command by command: a JSON object a line in, one a line out.
//
// First line in: {executable, profile}. Then {tab, goto}, {tab, run} (an expression, its value comes back), {tab, key},
// {tab, front}, {offline}, {close}. `run` reaches into open shadow roots by itself.
import { createInterface } from 'node:readline'
import { chromium } from 'playwright-core'

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const next = async () => JSON.parse((await lines.next()).value)

const { executable, profile } = await next()
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: executable,
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
  if (told.click) return page.locator(told.click).click()
  if (told.front) return page.bringToFront()
  if (told.motion) return page.emulateMedia({ reducedMotion: told.motion })
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
