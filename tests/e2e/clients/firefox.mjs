// A Firefox, driven by what it understands itself: WebDriver BiDi over a WebSocket. Has as much of Playwright's ways as
// `tabs.mjs` asks of it; Playwright's own Firefox is one of its making, and we want the one that people have.
//
// Needs `node --experimental-websocket` where Node.js is older than 22.
import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

// It talks to nobody but us: all but loopback goes to a proxy that is not there.
const PREFERENCES = {
  'network.proxy.type': 1,
  'network.proxy.http': '127.0.0.1',
  'network.proxy.http_port': 9,
  'network.proxy.ssl': '127.0.0.1',
  'network.proxy.ssl_port': 9,
  'network.dns.disabled': true,
  'app.normandy.enabled': false,
  'app.update.disabledForTesting': true,
  'browser.aboutwelcome.enabled': false,
  'browser.newtabpage.enabled': false,
  'browser.safebrowsing.malware.enabled': false,
  'browser.safebrowsing.phishing.enabled': false,
  'browser.shell.checkDefaultBrowser': false,
  'browser.startup.homepage_override.mstone': 'ignore',
  'browser.startup.page': 0,
  'datareporting.policy.dataSubmissionEnabled': false,
  'extensions.update.enabled': false,
  'remote.log.truncate': true,
  'services.settings.server': 'data:,',
  'termsofuse.bypassNotification': true,
  'toolkit.telemetry.reportingpolicy.firstRun': false,
}
const KEYS = { Tab: '\uE004', Enter: '\uE007', Escape: '\uE00C', Shift: '\uE008', Backspace: '\uE003' }
const THROWN = /^(uncaught exception|\w*(Error|Exception)): /
const START_MS = 60_000

// The other end of the wire: `send` a command, hear what is told with `on`.
class Session {
  constructor(socket) {
    this.socket = socket
    this.number = 0
    this.waiting = new Map()
    this.hearers = new Map()
    socket.addEventListener('message', ({ data }) => this.take(JSON.parse(data)))
  }

  take(told) {
    if (told.type === 'event') return this.hearers.get(told.method)?.forEach((hear) => hear(told.params))
    const { done, fail } = this.waiting.get(told.id)
    this.waiting.delete(told.id)
    if (told.type === 'error') fail(new Error(`${told.error}: ${told.message}`))
    else done(told.result)
  }

  send(method, params = {}) {
    const id = ++this.number
    this.socket.send(JSON.stringify({ id, method, params }))
    return new Promise((done, fail) => this.waiting.set(id, { done, fail }))
  }

  on(method, hear) {
    this.hearers.set(method, [...(this.hearers.get(method) ?? []), hear])
  }
}

class Page {
  constructor(session, context) {
    Object.assign(this, { session, context })
    this.keyboard = { press: (key) => this.press(key) }
  }

  on(name, hear) {
    if (name !== 'pageerror') throw new Error(`nothing is told of ${name}`)
    this.session.on('log.entryAdded', ({ type, level, text, source }) => {
      // That a request found nobody is told alike, and was not thrown.
      const isThrown = type === 'javascript' && level === 'error' && THROWN.test(text)
      if (isThrown && source.context === this.context) hear(text)
    })
  }

  async goto(url) {
    await this.session.send('browsingContext.navigate', { context: this.context, url, wait: 'complete' })
  }

  // What an expression comes to, and its promise if it is one.
  async evaluate(expression) {
    const target = { context: this.context }
    const asText = `Promise.resolve(${expression}).then((value) => JSON.stringify(value) ?? 'null')`
    const told = await this.session.send('script.evaluate', { expression: asText, target, awaitPromise: true })
    if (told.type === 'exception') throw new Error(told.exceptionDetails.text)
    return JSON.parse(told.result.value)
  }

  async act(...actions) {
    await this.session.send('input.performActions', { context: this.context, actions })
  }

  async press(chord) {
    const keys = chord.split('+').map((each) => KEYS[each] ?? each)
    const down = keys.map((value) => ({ type: 'keyDown', value }))
    const up = keys.reverse().map((value) => ({ type: 'keyUp', value }))
    await this.act({ type: 'key', id: 'keyboard', actions: [...down, ...up] })
  }

  bringToFront() {
    return this.session.send('browsingContext.activate', { context: this.context })
  }

  async setViewportSize(viewport) {
    await this.session.send('browsingContext.setViewport', { context: this.context, viewport })
  }

  async screenshot({ path }) {
    const { data } = await this.session.send('browsingContext.captureScreenshot', { context: this.context })
    writeFileSync(path, Buffer.from(data, 'base64'))
  }
}

class Firefox {
  constructor(process, session) {
    Object.assign(this, { process, session })
  }

  async newPage() {
    const { context } = await this.session.send('browsingContext.create', { type: 'tab' })
    return new Page(this.session, context)
  }

  async setOffline(isOffline) {
    const networkConditions = isOffline ? { type: 'offline' } : null
    await this.session.send('emulation.setNetworkConditions', { networkConditions, userContexts: ['default'] })
  }

  async close() {
    const gone = new Promise((done) => this.process.once('exit', done))
    this.session.send('browser.close').catch(() => {})
    await gone
  }
}

// The address that Firefox says it listens at.
function addressOf(process) {
  return new Promise((done, fail) => {
    const late = setTimeout(() => fail(new Error('Firefox did not start')), START_MS)
    createInterface({ input: process.stderr }).on('line', (line) => {
      const [, address] = line.match(/BiDi listening on (ws:\S+)/) ?? []
      if (!address) return
      clearTimeout(late)
      done(address)
    })
    process.once('exit', (status) => fail(new Error(`Firefox ended with ${status}`)))
  })
}

// A Firefox with a profile of its own, which nobody sees.
export async function launchFirefox(profile, executable) {
  mkdirSync(profile, { recursive: true })
  const lines = Object.entries(PREFERENCES).map(([name, value]) => `user_pref("${name}", ${JSON.stringify(value)});\n`)
  writeFileSync(`${profile}/user.js`, lines.join(''))
  const given = ['--headless', '--no-remote', '--remote-debugging-port=0', '--profile', profile]
  const process = spawn(executable, given, { stdio: ['ignore', 'ignore', 'pipe'] })
  const socket = new WebSocket(`${await addressOf(process)}/session`)
  await new Promise((done, fail) => {
    socket.addEventListener('open', done)
    socket.addEventListener('error', () => fail(new Error('Firefox does not answer')))
  })
  const session = new Session(socket)
  await session.send('session.new', { capabilities: {} })
  await session.send('session.subscribe', { events: ['log.entryAdded'] })
  return new Firefox(process, session)
}
