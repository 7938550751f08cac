// Messages that wait for the visitor: heard live, or asked for where that fails, and shown by their rules.

import { show } from './render.js'

const POLL_MS = 30_000
const AGAIN_MS = 1000
const FIELDS = 'input,textarea,select,[contenteditable]'
const VISIT_BREAK_MS = 30 * 60_000
const OVER = '-1'

const matches = (pattern, path) => {
  const parts = pattern.split('*').map((each) => each.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`).test(path)
}

// Where focus is, also within parts that a page keeps to itself.
function focused() {
  let found = document.activeElement
  while (found?.shadowRoot?.activeElement) found = found.shadowRoot.activeElement
  return found
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
    // Only typing has a type of input; a box that is ticked has none.
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

  // The instants at which a message was shown; null when it is over.
  shownAt(name) {
    const kept = this.device.get(`shown.${name}`)
    return kept === OVER ? null : (kept ?? '').split(',').filter(Boolean).map(Number)
  }

  // Since when the visitor is here, without a break of half an hour.
  visitStart() {
    const now = Date.now()
    const [start, last] = (this.device.get('visit') ?? '0,0').split(',').map(Number)
    const begun = now - last > VISIT_BREAK_MS ? now : start
    this.device.set('visit', `${begun},${now}`)
    return begun
  }

  // Whether the page has all of the visitor's attention: they fill in a form, answer a dialog, or watch a film.
  isBusy() {
    if (!focused()?.closest(FIELDS)) this.isWriting = false
    return this.isWriting || document.querySelector(':modal') !== null
  }

  // Show the one that matters most, if one may be shown now. Of several tabs one does; the others wait until what it
  // has stored has come to them, which can be later than its lock.
  reconsider() {
    const locks = navigator.locks
    const turn = () => this.next() && new Promise((then) => setTimeout(then, AGAIN_MS))
    if (locks) locks.request('courtesy.show', turn)
    else this.next()
  }

  // Whether it showed one.
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

  // What may be said of a message, each once. Whoever answers it has seen it.
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
