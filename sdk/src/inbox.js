// Messages that wait for the visitor: heard live, or asked for where that fails, and shown by their rules.

import { show } from './render.js'

const POLL_MS = 30_000
const AGAIN_MS = 1000

const matches = (pattern, path) => {
  const parts = pattern.split('*').map((each) => each.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`).test(path)
}

export class Inbox {
  // `ask(path)`: the address with which to ask for the visitor; `tell(event, message)`: a receipt.
  constructor(device, ask, tell, options) {
    Object.assign(this, { device, ask, tell, options })
    this.messages = new Map()
    this.ready = new Set()
    this.stream = null
    this.timer = null
    this.failures = 0
    this.open = null
    document.addEventListener('visibilitychange', () => this.wake())
    // Another tab has shown or ended something.
    addEventListener('storage', (event) => event.key?.startsWith('courtesy.shown') && this.reconsider())
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

  // Only a page that is seen listens: browsers have few connections for each site.
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
      // Offline; it is asked again.
    }
    if (document.visibilityState !== 'hidden') this.again(POLL_MS)
  }

  refused(problem) {
    console.warn(`courtesy: ${problem.message}; ${problem.hint}`)
    this.stop()
  }

  take(message) {
    const name = message.message
    if (this.messages.has(name) || this.times(name) < 0) return
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

  // An event of the visitor, or null for a page as it is: whatever waited for that is ready after its delay.
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

  // How often a message was shown; -1 when it is over.
  times(name) {
    return Number(this.device.get(`shown.${name}`) ?? 0)
  }

  // Show the one that matters most, if one may be shown now. Of several tabs one does.
  reconsider() {
    const locks = navigator.locks
    if (locks) locks.request('courtesy.show', () => this.next())
    else this.next()
  }

  next() {
    if (!this.isOn || this.open || document.visibilityState === 'hidden') return
    const wait_ms = Number(this.device.get('shown_last') ?? 0) + this.options.minGapMs - Date.now()
    const rank = (each) => each.display?.priority ?? 0
    const [message] = [...this.ready]
      .map((name) => this.messages.get(name))
      .filter((each) => each && this.may(each))
      .sort((a, b) => rank(b) - rank(a) || (a.asked < b.asked ? -1 : 1))
    if (!message) return
    if (wait_ms > 0) {
      clearTimeout(this.gap)
      this.gap = setTimeout(() => this.reconsider(), Math.min(wait_ms, this.options.minGapMs))
    } else this.show(message)
  }

  may({ message, display, expires }) {
    const times = this.times(message)
    return times >= 0 && times < (display?.cap ?? 1) && Date.parse(expires) > Date.now()
  }

  show(message) {
    const name = message.message
    this.ready.delete(name)
    this.device.set(`shown.${name}`, String(this.times(name) + 1))
    this.device.set('shown_last', String(Date.now()))
    const end = (event) => {
      this.device.set(`shown.${name}`, '-1')
      this.tell(event, message)
      this.messages.delete(name)
      this.open?.close()
    }
    const answers = {
      seen: () => this.tell('Message Seen', message),
      click: () => end('Message Clicked'),
      dismiss: () => end('Message Dismissed'),
    }
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
}
