// The queue of events. Each lies under a name of its own, so that two tabs never write over one another; what two of
// them send twice the server stores once, by its message id.

import { uuid } from './device.js'

const BATCH_MAX = 100
const BATCH_CHARS_MAX = 150_000
const BEACON_CHARS_MAX = 50_000
const KEPT_MAX = 1000
const RETRY_MS = 1000
const RETRY_MAX_MS = 300_000
const GATHER_MS = 50

export class Queue {
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
    // Names sort in the order in which things happened, also those of one millisecond.
    const order = String(Date.now()).padStart(15, '0') + String(this.number++ % 1e6).padStart(6, '0')
    this.device.set(`q.${order}.${item.messageId ?? uuid()}`, JSON.stringify(item))
    const names = this.device.names('q.')
    for (const name of names.slice(0, Math.max(0, names.length - KEPT_MAX))) this.device.remove(name)
    this.soon(GATHER_MS)
  }

  // `done` is called when everything that is queued now was taken.
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

  // At most one request at a time in a tab, and in all tabs where the browser has locks.
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

  // How long to wait until it is tried again; null when it was taken, or never will be.
  async post(body) {
    let answer
    try {
      // As plain text, for which browsers don't ask beforehand.
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

  // The page may go for good. Whether a beacon arrives nobody says, so the events stay until they were answered.
  leave() {
    const [names, body] = this.batch(BEACON_CHARS_MAX)
    if (names.length && navigator.sendBeacon) navigator.sendBeacon(this.url, new Blob([body], { type: 'text/plain' }))
  }
}
