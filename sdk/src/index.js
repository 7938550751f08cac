// Courtesy for web pages: events, consent, messages and offers. `init()` begins; docs/how-to/web-sdk.md tells the rest.

import { Device, uuid } from './device.js'
import { Inbox } from './inbox.js'
import { Placements } from './placements.js'
import { Queue } from './queue.js'

const VERSION = '0.1.0'
const HELD_MAX = 100
const DEFAULTS = {
  consentRequired: false,
  consentPurpose: 'analytics',
  inApp: true,
  live: true,
  minGapMs: 30_000,
  placementTimeoutMs: 400,
  placements: [],
  texts: { close: 'Close', open: 'Open', message: 'Message' },
}

class Courtesy {
  constructor(options) {
    this.options = { ...DEFAULTS, ...options, texts: { ...DEFAULTS.texts, ...options.texts } }
    this.url = options.url.replace(/\/+$/, '')
    this.device = new Device()
    this.held = []
    this.queue = new Queue(this.device, this.url, options.writeKey)
    this.inbox = new Inbox(this.device, (path) => this.address(path), (event, message) => this.receipt(event, message), this.options)
    this.placements = new Placements((path) => this.address(path), (name, told) => this.track(name, told), this.options)
    // To read what was chosen is not to store; what was not chosen leaves no trace.
    this.choices = read('courtesy.consent')
    if (this.isAllowed) this.begin(true)
    else this.tellRefusal()
  }

  get isAllowed() {
    return !this.options.consentRequired || this.choices?.[this.options.consentPurpose] === true
  }

  // `isFresh`: the page is yet to be drawn. Later its places stay as visitors see them already.
  begin(isFresh) {
    this.device.open()
    this.anonymousId()
    for (const item of this.held.splice(0)) this.send(item)
    if (isFresh) this.place(...this.options.placements)
    if (!this.options.inApp) return
    if (this.device.get('is_known')) return this.inbox.start()
    // Somebody new is known once the first event has come in.
    this.queue.soon(50, () => {
      this.device.set('is_known', '1')
      this.inbox.start()
    })
  }

  anonymousId() {
    let found = this.device.get('anonymous_id')
    if (found === null) this.device.set('anonymous_id', (found = uuid()), true)
    return found
  }

  userId() {
    return this.device.get('user_id')
  }

  // Where to ask for what is the visitor's.
  address(path) {
    const query = new URLSearchParams({ writeKey: this.options.writeKey, anonymousId: this.anonymousId() })
    const proof = this.device.get('user_hash')
    if (this.userId() && (proof || this.options.isOpen)) {
      query.set('userId', this.userId())
      if (proof) query.set('userHash', proof)
    }
    return `${this.url}${path}?${query}`
  }

  call(type, told) {
    const item = {
      type,
      ...told,
      messageId: uuid(),
      anonymousId: this.anonymousId(),
      timestamp: new Date().toISOString(),
      context: { ...this.context(), ...told.context },
    }
    const user = this.userId()
    if (user && item.userId === undefined) item.userId = user
    if (this.isAllowed || type === 'consent') this.send(item)
    // What happens before the visitor has chosen waits in memory; once they refused it is forgotten.
    else if (this.choices === null && this.held.length < HELD_MAX) this.held.push(item)
    return item.messageId
  }

  send(item) {
    // What was chosen since it happened holds for it as well.
    if (this.choices) item.context.consent = { categoryPreferences: this.choices }
    this.queue.add(item)
  }

  context() {
    const { pathname: path, search, href } = location
    const context = {
      library: { name: 'courtesy.js', version: VERSION },
      locale: navigator.language,
      timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
      userAgent: navigator.userAgent,
      page: { path, search, url: href, title: document.title, referrer: document.referrer },
    }
    if (navigator.globalPrivacyControl) context.globalPrivacyControl = true
    return context
  }

  track(event, properties = {}) {
    const id = this.call('track', { event, properties })
    this.inbox.happened(event)
    return id
  }

  page(name, properties = {}) {
    const { path, url, title, referrer, search } = this.context().page
    const id = this.call('page', { name, properties: { path, url, title, referrer, search, ...properties } })
    this.inbox.happened(null)
    return id
  }

  // `userHash`: HMAC-SHA256 of the user id, made by your server; with it messages and offers for them are shown.
  identify(userId, traits = {}, { userHash } = {}) {
    if (this.userId() && userId !== this.userId()) this.reset()
    if (userId) this.device.set('user_id', userId, true)
    if (userHash) this.device.set('user_hash', userHash)
    const id = this.call('identify', { traits })
    this.restart()
    return id
  }

  group(groupId, traits = {}) {
    return this.call('group', { groupId, traits })
  }

  alias(userId, previousId = this.userId() ?? this.anonymousId()) {
    return this.call('alias', { userId, previousId })
  }

  // As after a logout: the next visitor of this browser is somebody else.
  reset() {
    for (const name of this.device.names('')) if (!/^(q\.|consent$)/.test(name)) this.device.remove(name)
    this.restart()
  }

  // What is the visitor's may be another's now.
  restart() {
    if (!this.inbox.isOn) return
    this.inbox.stop()
    this.queue.soon(0, () => this.options.inApp && this.isAllowed && this.inbox.start())
  }

  // {analytics: true, marketing: false}: what the visitor chose. With `consentRequired` everything begins with a yes
  // to `consentPurpose`, and a no leaves nothing on the device but the choice.
  consent(choices) {
    this.choices = { ...this.choices, ...choices }
    const had = this.device.isOpen
    const said = Object.entries(choices).map(([purpose, yes]) => ({ purpose, action: yes ? 'grant' : 'withdraw' }))
    const id = this.call('consent', { choices: said })
    if (this.isAllowed && !had) this.begin(false)
    if (!this.isAllowed) this.refuse()
    keep('consent', JSON.stringify(this.choices))
    return id
  }

  refuse() {
    this.held = []
    this.inbox.stop()
    const [, body] = this.queue.batch(Infinity)
    this.device.close()
    // Their refusal has to arrive: it is kept until it did, and nothing else.
    keep('refusal', JSON.stringify(body))
    this.tellRefusal()
  }

  async tellRefusal() {
    const body = read('courtesy.refusal')
    if (body && (await this.queue.post(body)) === null) keep('refusal', null)
  }

  receipt(event, { message, campaign, offer }) {
    const properties = { message, channel: 'in_app', ...(campaign && { campaign }), ...(offer && { offer }) }
    this.call('track', { event, properties })
    if (offer && event === 'Message Seen') this.call('track', { event: 'Offer Seen', properties })
    if (offer && event === 'Message Clicked') this.call('track', { event: 'Offer Clicked', properties })
    this.queue.soon(0)
  }

  // That the visitor did what a message was for.
  convert(message, properties = {}) {
    return this.call('track', { event: 'Message Converted', properties: { ...properties, message } })
  }

  // Take up or decline an offer; what the server says, with its code when it was granted.
  async reply(offer, reply, placement = '') {
    const about = Object.fromEntries(new URLSearchParams(this.address('').split('?')[1]))
    const body = JSON.stringify({ ...about, offer, reply, placement, request: uuid() })
    const answer = await fetch(`${this.url}/v1/placements/replies`, { method: 'POST', body, headers: { 'content-type': 'text/plain' } })
    if (!answer.ok) throw new Error(`courtesy: ${(await answer.json()).message}`)
    return answer.json()
  }

  // Fill places that came later, as pages do that are drawn by scripts.
  place(...names) {
    if (!this.isAllowed) return undefined
    return this.placements.fill(names)
  }

  // When everything so far was taken by the server.
  flush() {
    return new Promise((done) => this.queue.soon(0, done))
  }
}

function keep(name, text) {
  try {
    if (text === null) localStorage.removeItem(`courtesy.${name}`)
    else localStorage.setItem(`courtesy.${name}`, text)
  } catch {
    // Without storage they will be asked again.
  }
}

function read(name) {
  try {
    return JSON.parse(localStorage.getItem(name))
  } catch {
    return null
  }
}

// Begin. Needs `writeKey` and `url`, the address of the server.
export function init(options) {
  return new Courtesy(options)
}
