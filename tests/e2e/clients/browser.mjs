// Drives a page of a shop in Chromium: visits, each a load of the page in one tab, with calls to the library.
//
// In (standard input): {executable, profile, url, headers, visits: [{calls, hasty, reset}, ...], goal}.
// Out: {visits: [{delivered, anonymousId, userId}, ...], hosts, failures}.
//
// `hasty` calls are made over a slow line right before the page is left, so that they are under way when it goes.
// `reset`: as a logout. `goal` is {url, key, stored}: the browser stays until the server's counts say that many are
// stored, or a minute has gone. `headers` go with every request, as a browser adds its own. `hosts` are all that the browser asked anything of.
import { chromium } from 'playwright-core'
import { text } from 'node:stream/consumers'

const SLOW = { offline: false, latency: 3000, downloadThroughput: -1, uploadThroughput: -1 }
const FAST = { ...SLOW, latency: 0 }

const { executable, profile, url, headers, visits, goal } = JSON.parse(await text(process.stdin))

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
await browser.setExtraHTTPHeaders(headers)
const hosts = new Set()
browser.on('request', (request) => hosts.add(new URL(request.url()).host))

const page = browser.pages()[0] ?? (await browser.newPage())
const line = await browser.newCDPSession(page)
await line.send('Network.enable')
const failures = []
page.on('pageerror', (error) => failures.push(String(error)))

async function makeHasty(calls) {
  await line.send('Network.emulateNetworkConditions', SLOW)
  let begun = 0
  const all = new Promise((resolve) => {
    page.on('request', (request) => request.method() === 'POST' && ++begun === calls.length && resolve())
  })
  await page.evaluate((told) => makeHasty(told), JSON.stringify(calls))
  await all
  await page.goto('about:blank')
  page.removeAllListeners('request')
  await line.send('Network.emulateNetworkConditions', FAST)
}

const answers = []
for (const visit of visits) {
  await page.goto(url)
  if (visit.reset) await page.evaluate(() => analytics.reset())
  const delivered = await page.evaluate((told) => make(told), JSON.stringify(visit.calls))
  const [anonymousId, userId] = await page.evaluate(async () => {
    const user = await analytics.user()
    return [user.anonymousId(), user.id()]
  })
  failures.push(...(await page.evaluate(() => failures)))
  answers.push({ delivered, anonymousId, userId })
  if (visit.hasty) await makeHasty(visit.hasty)
}

async function stored() {
  const answer = await fetch(goal.url, { headers: { authorization: `Bearer ${goal.key}` } })
  const { counts } = await answer.json()
  return counts.filter((each) => each.source === goal.source).reduce((sum, each) => sum + each.stored, 0)
}

// What an earlier page did not get delivered, the next one finds in local storage and sends.
const end = Date.now() + 60_000
while ((await stored()) < goal.stored && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 100))
await browser.close()
process.stdout.write(JSON.stringify({ visits: answers, hosts: [...hosts], failures }))
