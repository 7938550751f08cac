// Courtesy for web pages. Apache-2.0. Made from sdk/src by sdk/build.mjs.

const PREFIX = 'courtesy.'
const YEAR_S = 31_536_000
function storageOf() {
try {
const storage = window.localStorage
storage.setItem(PREFIX + 'probe', '1')
storage.removeItem(PREFIX + 'probe')
return storage
} catch {
return null
}
}
class Device {
constructor() {
this.memory = new Map()
this.storage = null
this.isOpen = false
}
open() {
if (this.isOpen) return
this.isOpen = true
this.storage = storageOf()
const early = this.memory
this.memory = new Map()
for (const [name, value] of early) if (this.get(name) === null) this.set(name, value)
}
close(kept = []) {
for (const name of this.names('')) if (!kept.includes(name)) this.remove(name)
this.memory = new Map(kept.map((name) => [name, this.get(name)]).filter(([, value]) => value !== null))
this.isOpen = false
this.storage = null
}
get(name) {
if (this.storage) return this.storage.getItem(PREFIX + name) ?? this.memory.get(name) ?? null
return this.memory.get(name) ?? (this.isOpen ? cookie(name) : null)
}
set(name, value, inCookie = false) {
try {
if (this.storage) return this.storage.setItem(PREFIX + name, value)
} catch {
}
this.memory.set(name, value)
if (this.isOpen && inCookie) write(name, value, YEAR_S)
}
remove(name) {
this.memory.delete(name)
if (this.storage) this.storage.removeItem(PREFIX + name)
else if (this.isOpen && cookie(name) !== null) write(name, '', 0)
}
names(start) {
const kept = this.storage ? Object.keys(this.storage) : []
const own = kept.filter((each) => each.startsWith(PREFIX)).map((each) => each.slice(PREFIX.length))
return [...new Set([...own, ...this.memory.keys()])].filter((each) => each.startsWith(start)).sort()
}
}
function cookie(name) {
const found = document.cookie.split('; ').find((each) => each.startsWith(PREFIX + name + '='))
return found === undefined ? null : decodeURIComponent(found.slice(found.indexOf('=') + 1))
}
function write(name, value, age_s) {
const secure = location.protocol === 'https:' ? '; Secure' : ''
document.cookie = `${PREFIX}${name}=${encodeURIComponent(value)}; Max-Age=${age_s}; Path=/; SameSite=Lax${secure}`
}
function uuid() {
if (crypto.randomUUID) return crypto.randomUUID()
const bytes = crypto.getRandomValues(new Uint8Array(16))
bytes[6] = (bytes[6] & 15) | 64
bytes[8] = (bytes[8] & 63) | 128
const hex = [...bytes].map((each) => each.toString(16).padStart(2, '0')).join('')
return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}
const BATCH_MAX = 100
const BATCH_CHARS_MAX = 150_000
const BEACON_CHARS_MAX = 50_000
const KEPT_MAX = 1000
const RETRY_MS = 1000
const RETRY_MAX_MS = 300_000
const GATHER_MS = 50
class Queue {
constructor(device, url, writeKey) {
this.device = device
this.url = url + '/v1/batch'
this.writeKey = writeKey
this.number = 0
this.failures = 0
this.timer = null
this.sending = null
this.afterwards = []
addEventListener('online', () => this.soon(0))
addEventListener('pagehide', () => this.leave())
document.addEventListener('visibilitychange', () => document.visibilityState === 'hidden' && this.leave())
}
add(item) {
const order = String(Date.now()).padStart(15, '0') + String(this.number++ % 1e6).padStart(6, '0')
this.device.set(`q.${order}.${item.messageId ?? uuid()}`, JSON.stringify(item))
const names = this.device.names('q.')
for (const name of names.slice(0, Math.max(0, names.length - KEPT_MAX))) this.device.remove(name)
this.soon(GATHER_MS)
}
soon(wait_ms, done) {
if (done) this.afterwards.push(done)
if (this.timer !== null && wait_ms > 0) return
clearTimeout(this.timer)
this.timer = setTimeout(() => {
this.timer = null
this.flush()
}, wait_ms)
}
drop() {
for (const name of this.device.names('q.')) this.device.remove(name)
}
async flush() {
if (this.sending) return this.sending
const locks = navigator.locks
const send = () => this.send()
this.sending = locks ? locks.request('courtesy.queue', send) : send()
try {
await this.sending
} finally {
this.sending = null
}
}
async send() {
for (;;) {
const [names, body] = this.batch(BATCH_CHARS_MAX)
if (!names.length) break
const wait_ms = await this.post(body)
if (wait_ms !== null) return this.soon(wait_ms)
for (const name of names) this.device.remove(name)
}
for (const done of this.afterwards.splice(0)) done()
}
batch(chars_max) {
const names = []
const items = []
let chars = 0
for (const name of this.device.names('q.').slice(0, BATCH_MAX)) {
const text = this.device.get(name)
if (text === null) continue
if (items.length && chars + text.length > chars_max) break
chars += text.length
names.push(name)
items.push(text)
}
const about = JSON.stringify({ writeKey: this.writeKey, sentAt: new Date().toISOString() }).slice(0, -1)
return [names, `${about},"batch":[${items.join(',')}]}`]
}
async post(body) {
let answer
try {
answer = await fetch(this.url, { method: 'POST', body, headers: { 'content-type': 'text/plain' } })
} catch {
return this.later(0)
}
if (answer.status === 429 || answer.status >= 500) return this.later(Number(answer.headers.get('retry-after')) || 0)
this.failures = 0
return null
}
later(asked_s) {
const wait_ms = Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** this.failures++) * (0.5 + Math.random() / 2)
return Math.max(wait_ms, asked_s * 1000)
}
leave() {
const [names, body] = this.batch(BEACON_CHARS_MAX)
if (names.length && navigator.sendBeacon) navigator.sendBeacon(this.url, new Blob([body], { type: 'text/plain' }))
}
}
const STYLES = `
:host{all:initial;color-scheme:inherit;--s:#fff;--t:#17181c;--m:#4a4d57;--l:#e3e4e8;--a:#17181c;--o:#fff;--f:#0b57d0}
@supports (color:light-dark(#000,#fff)){:host{--s:light-dark(#fff,#1e1f24);--t:light-dark(#17181c,#f3f3f5);
--m:light-dark(#4a4d57,#c3c5cd);--l:light-dark(#e3e4e8,#3c3e46);--a:light-dark(#17181c,#f3f3f5);
--o:light-dark(#fff,#17181c);--f:light-dark(#0b57d0,#a8c7fa)}}
*{box-sizing:border-box;margin:0}
.box{position:fixed;z-index:2147483647;overflow:auto;padding:0;max-height:calc(100dvh - 32px);text-align:start;
font:16px/1.5 var(--courtesy-font,system-ui,sans-serif);color:var(--courtesy-text,var(--t));
background:var(--courtesy-surface,var(--s));border:1px solid var(--l);border-radius:var(--courtesy-radius,16px);
box-shadow:0 1px 2px #0000000f,0 12px 40px #00000029;animation:come .24s cubic-bezier(.2,.8,.2,1)}
.box:focus{outline:0}
.in{padding:24px;display:flex;flex-direction:column;gap:20px}
.say{display:flex;flex-direction:column;gap:6px;padding-inline-end:32px}
img{display:block;max-width:100%;max-height:40vh;margin:24px auto 0;border-radius:calc(var(--courtesy-radius,16px)*.5)}
.banner img{margin:0;max-height:72px}
h2{font-size:1.25em;line-height:1.3;font-weight:650;letter-spacing:-.01em;text-wrap:balance;overflow-wrap:anywhere}
p{white-space:pre-line;overflow-wrap:anywhere;text-wrap:pretty}
h2+p{color:var(--courtesy-text,var(--m))}
.go{display:inline-flex;align-items:center;justify-content:center;min-height:44px;padding:10px 22px;font:inherit;
font-weight:600;text-align:center;text-decoration:none;cursor:pointer;border:1px solid transparent;border-radius:calc(var(--courtesy-radius,16px)*.625);
background:var(--courtesy-accent,var(--a));color:var(--courtesy-on-accent,var(--o))}
.go:hover{filter:brightness(1.12)}
.x{position:absolute;top:8px;inset-inline-end:8px;width:44px;height:44px;padding:0;border:0;border-radius:50%;cursor:pointer;
background:none;color:inherit}
.x::before,.x::after{content:"";position:absolute;top:21px;left:14px;width:16px;height:2px;border-radius:1px;
background:currentColor;rotate:45deg}
.x::after{rotate:-45deg}
.x:hover{background:var(--l)}
:focus-visible{outline:3px solid var(--f);outline-offset:2px}
.dialog{margin:auto;width:min(440px,calc(100vw - 32px))}
.dialog .in{padding:32px}
.dialog h2{font-size:1.5em}
dialog::backdrop{background:#0f101480;animation:fade .24s}
.toast{inset-inline-end:16px;bottom:max(16px,env(safe-area-inset-bottom));width:min(380px,calc(100vw - 32px))}
.toast .in{gap:14px;padding:18px 20px}.toast h2{font-size:1.0625em}.toast .go{align-self:flex-start;padding-block:8px}
.banner{inset-inline:0;bottom:0;border-width:1px 0 0;border-radius:0}
.banner .in{flex-direction:row;align-items:center;justify-content:center;gap:16px 32px;padding:14px 64px 14px 24px;
padding-inline:24px 64px;padding-bottom:max(14px,env(safe-area-inset-bottom))}
.banner .say{padding:0;gap:2px}.banner h2{font-size:1.0625em}.banner .go{flex:none}
@media(max-width:600px){.dialog{margin-bottom:max(16px,env(safe-area-inset-bottom))}.dialog .in{padding:24px}
.banner .in{flex-direction:column;align-items:stretch;padding-inline:20px}.banner .say{padding-inline-end:32px}}
@keyframes come{from{opacity:0;translate:0 12px}}
@keyframes fade{from{opacity:0}}
@media(prefers-reduced-motion:reduce){.box,dialog::backdrop{animation:none}}
@media(forced-colors:active){.go{border-color:ButtonText}.x::before,.x::after{background:ButtonText}}`
function make(name, text, attributes = {}) {
const element = document.createElement(name)
if (text) element.textContent = text
for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value)
return element
}
function sheetOf(styles) {
const sheet = new CSSStyleSheet()
sheet.replaceSync(styles)
return sheet
}
function safe(link) {
try {
const url = new URL(link, location.href)
return ['https:', 'http:'].includes(url.protocol) ? url.href : null
} catch {
return null
}
}
function whenSeen(element, then) {
const isSeen = (each) => each.intersectionRatio >= 0.5 || each.intersectionRect.height >= innerHeight / 2
const watcher = new IntersectionObserver((entries) => {
if (!entries.some(isSeen)) return
watcher.disconnect()
then()
}, { threshold: [0.1, 0.2, 0.3, 0.4, 0.5] })
watcher.observe(element)
}
function button(text, answer, attributes) {
const made = make('button', text, { type: 'button', ...attributes })
made.addEventListener('click', answer)
return made
}
function body(message, answers, texts, isDialog) {
const link = message.link ? safe(message.link) : null
const said = make('div', '', { class: 'say' })
if (message.title) said.append(make('h2', message.title, { id: 'title' }))
if (message.text) said.append(make('p', message.text, { id: 'text' }))
const inner = make('div', '', { class: 'in' })
const picture = message.image?.url && safe(message.image.url)
if (picture) inner.append(make('img', '', { src: picture, alt: message.image.alt || '' }))
inner.append(said)
if (link) {
const go = make('a', message.display?.button || texts.open, { href: link, class: 'go' })
go.addEventListener('click', answers.click)
inner.append(go)
} else if (isDialog) {
inner.append(button(texts.close, answers.dismiss, { class: 'go' }))
}
return [inner, button('', answers.dismiss, { class: 'x', 'aria-label': texts.close })]
}
function boxOf(message, style, texts) {
const box = make(style === 'dialog' ? 'dialog' : 'div', '', { class: `box ${style}`, dir: 'auto', tabindex: '-1' })
if (message.locale) box.setAttribute('lang', message.locale)
if (style === 'toast') box.setAttribute('role', 'status')
if (style === 'banner') box.setAttribute('role', 'region')
if (message.title) box.setAttribute('aria-labelledby', 'title')
else box.setAttribute('aria-label', texts.message)
if (message.text && style === 'dialog') box.setAttribute('aria-describedby', 'text')
return box
}
function show(message, answers, { texts }) {
const style = message.display?.style ?? 'dialog'
const isDialog = style === 'dialog'
const host = make('div', '', { 'data-courtesy-message': message.message })
const root = host.attachShadow({ mode: 'open' })
root.adoptedStyleSheets = [sheetOf(STYLES)]
const box = boxOf(message, style, texts)
const inner = body(message, answers, texts, isDialog)
let before = null
host.addEventListener('focusin', (event) => (before ??= event.relatedTarget))
box.addEventListener('cancel', (event) => {
event.preventDefault()
answers.dismiss()
})
box.addEventListener('keydown', (event) => !isDialog && event.key === 'Escape' && answers.dismiss())
root.append(box)
document.body.append(host)
if (isDialog) {
box.append(...inner)
box.showModal()
box.focus()
} else {
requestAnimationFrame(() => box.append(...inner))
}
whenSeen(box, answers.seen)
return () => {
if (isDialog) box.close()
else if (root.activeElement) before?.focus()
host.remove()
}
}
const POLL_MS = 30_000
const AGAIN_MS = 1000
const FIELDS = 'input,textarea,select,[contenteditable]'
const VISIT_BREAK_MS = 30 * 60_000
const OVER = '-1'
const matches = (pattern, path) => {
const parts = pattern.split('*').map((each) => each.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
return new RegExp(`^${parts.join('.*')}$`).test(path)
}
function focused() {
let found = document.activeElement
while (found?.shadowRoot?.activeElement) found = found.shadowRoot.activeElement
return found
}
class Inbox {
constructor(device, ask, tell, options) {
Object.assign(this, { device, ask, tell, options })
this.messages = new Map()
this.ready = new Set()
this.stream = null
this.timer = null
this.failures = 0
this.open = null
document.addEventListener('visibilitychange', () => this.wake())
addEventListener('storage', (event) => event.key?.startsWith('courtesy.shown') && this.reconsider())
addEventListener('input', (event) => (this.isWriting ||= Boolean(event.inputType)), true)
}
start() {
this.isOn = true
this.wake()
}
stop() {
this.isOn = false
clearTimeout(this.timer)
this.stream?.close()
this.stream = null
this.open?.close()
this.messages.clear()
this.ready.clear()
}
wake() {
if (!this.isOn) return
if (document.visibilityState === 'hidden') {
this.stream?.close()
this.stream = null
return
}
this.reconsider()
if (!this.stream) this.listen()
}
listen() {
if (!this.options.live || !window.EventSource) return this.poll()
const stream = (this.stream = new EventSource(this.ask('/v1/inbox/live')))
stream.addEventListener('message', (event) => {
this.failures = 0
this.take(JSON.parse(event.data))
})
stream.addEventListener('gone', (event) => this.drop(JSON.parse(event.data).message))
stream.addEventListener('error', () => {
if (stream.readyState !== EventSource.CLOSED || this.stream !== stream) return
this.stream = null
this.again(AGAIN_MS * 2 ** this.failures++)
})
}
again(wait_ms) {
clearTimeout(this.timer)
this.timer = setTimeout(() => this.isOn && (this.failures > 2 ? this.poll() : this.wake()), Math.min(wait_ms, POLL_MS))
}
async poll() {
try {
const answer = await fetch(this.ask('/v1/inbox'))
if (answer.status === 403) return this.refused(await answer.json())
if (answer.ok) {
const { messages } = await answer.json()
const waiting = new Set(messages.map((each) => each.message))
for (const name of [...this.messages.keys()]) if (!waiting.has(name)) this.drop(name)
messages.forEach((each) => this.take(each))
this.failures = 0
}
} catch {
}
if (document.visibilityState !== 'hidden') this.again(POLL_MS)
}
refused(problem) {
console.warn(`courtesy: ${problem.message}; ${problem.hint}`)
this.stop()
}
take(message) {
const name = message.message
if (this.messages.has(name) || !this.shownAt(name)) return
this.messages.set(name, message)
if (this.device.get(`had.${name}`) === null) {
this.device.set(`had.${name}`, '1')
this.tell('Message Delivered', message)
}
this.happened(null)
}
drop(name) {
this.messages.delete(name)
this.ready.delete(name)
if (this.open?.name === name) this.open.close()
}
happened(event) {
for (const [name, message] of this.messages) {
const { event: wanted, page, delay_ms = 0 } = message.display ?? {}
const isMeant = wanted ? wanted === event : event === null
if (!isMeant || this.ready.has(name) || (page && !matches(page, location.pathname))) continue
const path = location.pathname
setTimeout(() => {
if (!this.messages.has(name) || (page && path !== location.pathname)) return
this.ready.add(name)
this.reconsider()
}, delay_ms)
}
}
shownAt(name) {
const kept = this.device.get(`shown.${name}`)
return kept === OVER ? null : (kept ?? '').split(',').filter(Boolean).map(Number)
}
visitStart() {
const now = Date.now()
const [start, last] = (this.device.get('visit') ?? '0,0').split(',').map(Number)
const begun = now - last > VISIT_BREAK_MS ? now : start
this.device.set('visit', `${begun},${now}`)
return begun
}
isBusy() {
if (!focused()?.closest(FIELDS)) this.isWriting = false
return this.isWriting || document.querySelector(':modal') !== null
}
reconsider() {
const locks = navigator.locks
const turn = () => this.next() && new Promise((then) => setTimeout(then, AGAIN_MS))
if (locks) locks.request('courtesy.show', turn)
else this.next()
}
next() {
if (!this.isOn || this.open || document.visibilityState === 'hidden') return false
const wait_ms = Number(this.device.get('shown_last') ?? 0) + this.options.minGapMs - Date.now()
const rank = (each) => each.display?.priority ?? 0
const [message] = [...this.ready]
.map((name) => this.messages.get(name))
.filter((each) => each && this.may(each))
.sort((a, b) => rank(b) - rank(a) || (a.asked < b.asked ? -1 : 1))
if (!message) return false
const pause_ms = wait_ms > 0 ? Math.min(wait_ms, this.options.minGapMs) : this.isBusy() ? AGAIN_MS : 0
clearTimeout(this.gap)
if (pause_ms) this.gap = setTimeout(() => this.reconsider(), pause_ms)
else this.show(message)
return !pause_ms
}
may({ message, display, expires }) {
const shown = this.shownAt(message)
if (!shown || Date.parse(expires) <= Date.now()) return false
const { cap = 1, cap_per_visit = cap, cap_per_day = cap } = display ?? {}
const since = (instant) => shown.filter((each) => each >= instant).length
return since(0) < cap && since(this.visitStart()) < cap_per_visit && since(new Date().setHours(0, 0, 0, 0)) < cap_per_day
}
show(message) {
const name = message.message
this.ready.delete(name)
this.device.set(`shown.${name}`, [...this.shownAt(name), Date.now()].join(','))
this.device.set('shown_last', String(Date.now()))
const answers = this.answers(name, message)
const own = this.options.onMessage?.(message, answers)
const remove = own || show(message, answers, this.options)
const close = () => {
if (this.open?.name !== name) return
this.open = null
if (typeof remove === 'function') remove()
this.reconsider()
}
this.open = { name, close }
}
answers(name, message) {
let isSeen = false
let isOver = false
const seen = () => {
if (!isSeen) this.tell('Message Seen', message)
isSeen = true
}
const end = (event) => {
if (isOver) return
isOver = true
this.device.set(`shown.${name}`, OVER)
seen()
this.tell(event, message)
this.messages.delete(name)
this.open?.close()
}
return { seen, click: () => end('Message Clicked'), dismiss: () => end('Message Dismissed') }
}
}
const ATTRIBUTE = 'data-courtesy-placement'
const STATE = 'data-courtesy-state'
const NAMES_MAX = 10
const UNSEEN = `[${ATTRIBUTE}]:not([${STATE}]){visibility:hidden}`
function hold(limit_ms) {
const sheet = sheetOf(UNSEEN)
const room = { isOver: false }
room.over = new Promise((then) => {
room.release = () => {
room.isOver = true
clearTimeout(timer)
document.adoptedStyleSheets = document.adoptedStyleSheets.filter((each) => each !== sheet)
then()
}
document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet]
const timer = setTimeout(room.release, limit_ms)
})
return room
}
async function drawable(offer) {
const address = offer?.look.image && safe(offer.look.image)
if (!address) return offer
const image = make('img', '', { src: address })
try {
await image.decode()
return { ...offer, size: { width: image.naturalWidth, height: image.naturalHeight } }
} catch {
return { ...offer, look: { ...offer.look, image: undefined } }
}
}
class Placements {
constructor(ask, track, options) {
Object.assign(this, { ask, track, options })
}
async fill(names) {
const room = hold(this.options.placementTimeoutMs)
if (!names.length) await this.read()
const places = () => [...document.querySelectorAll(`[${ATTRIBUTE}]:not([${STATE}])`)]
const nameOf = (place) => place.getAttribute(ATTRIBUTE)
const wanted = [...new Set([...names, ...places().map(nameOf)])].slice(0, NAMES_MAX)
const found = wanted.length ? await Promise.race([this.offers(wanted), room.over]) : {}
await this.read()
for (const place of places()) {
const offer = found?.[nameOf(place)]
const isInTime = offer && !room.isOver
if (isInTime) this.put(place, offer)
place.setAttribute(STATE, isInTime ? 'filled' : 'default')
}
room.release()
}
async offers(names) {
try {
const url = this.ask('/v1/placements') + '&names=' + encodeURIComponent(names.join(','))
const answer = await fetch(url, { signal: AbortSignal.timeout(this.options.placementTimeoutMs) })
if (!answer.ok) return {}
const entries = Object.entries((await answer.json()).placements)
return Object.fromEntries(await Promise.all(entries.map(async ([name, offer]) => [name, await drawable(offer)])))
} catch {
return {}
}
}
async read() {
if (document.readyState === 'loading') await new Promise((then) => addEventListener('DOMContentLoaded', then))
}
put(place, offer) {
const look = { title: offer.title, terms: offer.terms, code: offer.grant?.code, ...offer.look }
const fields = [...place.querySelectorAll('[data-courtesy-field]')]
if (!this.options.onPlacement?.(place, offer)) {
if (fields.length) for (const field of fields) set(field, look[field.dataset.courtesyField])
else place.replaceChildren(...plain(look, offer.size))
}
this.watch(place, offer)
}
watch(place, offer) {
const told = { offer: offer.offer, placement: place.getAttribute(ATTRIBUTE), channel: 'web' }
whenSeen(place, () => this.track('Offer Seen', told))
const click = (event) => {
if (!event.target.closest('a,button')) return
place.removeEventListener('click', click)
this.track('Offer Clicked', told)
}
place.addEventListener('click', click)
}
}
function set(field, value) {
if (value === undefined || value === null) return
const link = field.matches('a,img') ? safe(value) : null
if (field.matches('img')) link && field.setAttribute('src', link)
else if (field.matches('a')) link && field.setAttribute('href', link)
else field.textContent = value
}
function plain({ title, text, image, link, button }, size) {
const parts = []
if (image && safe(image)) parts.push(make('img', '', { src: safe(image), alt: '', ...size }))
if (title) parts.push(make('strong', title))
if (text) parts.push(make('p', text))
if (link && safe(link)) parts.push(make('a', button || title, { href: safe(link) }))
return parts
}
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
this.choices = read('courtesy.consent')
if (this.isAllowed) this.begin(true)
else this.tellRefusal()
}
get isAllowed() {
return !this.options.consentRequired || this.choices?.[this.options.consentPurpose] === true
}
begin(isFresh) {
this.device.open()
this.anonymousId()
for (const item of this.held.splice(0)) this.send(item)
if (isFresh) this.place(...this.options.placements)
if (!this.options.inApp) return
if (this.device.get('is_known')) return this.inbox.start()
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
else if (this.choices === null && this.held.length < HELD_MAX) this.held.push(item)
return item.messageId
}
send(item) {
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
reset() {
for (const name of this.device.names('')) if (!/^(q\.|consent$)/.test(name)) this.device.remove(name)
this.restart()
}
restart() {
if (!this.inbox.isOn) return
this.inbox.stop()
this.queue.soon(0, () => this.options.inApp && this.isAllowed && this.inbox.start())
}
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
convert(message, properties = {}) {
return this.call('track', { event: 'Message Converted', properties: { ...properties, message } })
}
async reply(offer, reply, placement = '') {
const about = Object.fromEntries(new URLSearchParams(this.address('').split('?')[1]))
const body = JSON.stringify({ ...about, offer, reply, placement, request: uuid() })
const answer = await fetch(`${this.url}/v1/placements/replies`, { method: 'POST', body, headers: { 'content-type': 'text/plain' } })
if (!answer.ok) throw new Error(`courtesy: ${(await answer.json()).message}`)
return answer.json()
}
place(...names) {
if (!this.isAllowed) return undefined
return this.placements.fill(names)
}
flush() {
return new Promise((done) => this.queue.soon(0, done))
}
}
function keep(name, text) {
try {
if (text === null) localStorage.removeItem(`courtesy.${name}`)
else localStorage.setItem(`courtesy.${name}`, text)
} catch {
}
}
function read(name) {
try {
return JSON.parse(localStorage.getItem(name))
} catch {
return null
}
}
function init(options) {
return new Courtesy(options)
}
export { init }
