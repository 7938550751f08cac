// Places of a page for offers: <div data-courtesy-placement="hero">what stands there otherwise</div>.
//
// A place keeps its room, unseen, until the answer is there; when that takes too long, what was there stays.

import { make, safe } from './render.js'

const ATTRIBUTE = 'data-courtesy-placement'
const STATE = 'data-courtesy-state'
const NAMES_MAX = 10

export class Placements {
  constructor(ask, track, options) {
    Object.assign(this, { ask, track, options })
  }

  // Keep the room of places that are yet to come; to be called before the page is drawn.
  hold() {
    const sheet = new CSSStyleSheet()
    sheet.replaceSync(`[${ATTRIBUTE}]:not([${STATE}]){visibility:hidden}`)
    this.sheet = sheet
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet]
    this.timer = setTimeout(() => this.release(), this.options.placementTimeoutMs)
  }

  // Show what stands there, whatever becomes of the answer.
  release() {
    clearTimeout(this.timer)
    this.isLate = true
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((each) => each !== this.sheet)
  }

  async fill(names) {
    // Which places there are is not known before the page is read, unless they were named.
    if (!names.length) await this.read()
    const places = () => [...document.querySelectorAll(`[${ATTRIBUTE}]:not([${STATE}])`)]
    const wanted = [...new Set([...names, ...places().map((each) => each.getAttribute(ATTRIBUTE))])].slice(0, NAMES_MAX)
    if (!wanted.length) return this.release()
    let found = {}
    try {
      const url = this.ask('/v1/placements') + '&names=' + encodeURIComponent(wanted.join(','))
      const answer = await fetch(url, { signal: AbortSignal.timeout(this.options.placementTimeoutMs) })
      if (answer.ok) found = (await answer.json()).placements
    } catch {
      // Too late, or offline: what was there stays.
    }
    await this.read()
    for (const place of places()) {
      const offer = found[place.getAttribute(ATTRIBUTE)]
      // What a visitor sees already is not taken from under their eyes.
      if (offer && !this.isLate) this.put(place, offer)
      place.setAttribute(STATE, offer && !this.isLate ? 'filled' : 'default')
    }
    this.release()
    this.isLate = false
  }

  async read() {
    if (document.readyState === 'loading') await new Promise((then) => addEventListener('DOMContentLoaded', then))
  }

  put(place, offer) {
    const look = { title: offer.title, terms: offer.terms, code: offer.grant?.code, ...offer.look }
    const fields = [...place.querySelectorAll('[data-courtesy-field]')]
    if (!this.options.onPlacement?.(place, offer)) {
      if (fields.length) for (const field of fields) set(field, look[field.dataset.courtesyField])
      else place.replaceChildren(...plain(look))
    }
    this.watch(place, offer)
  }

  // Seen is what was half in view; both are told once.
  watch(place, offer) {
    const told = { offer: offer.offer, placement: place.getAttribute(ATTRIBUTE), channel: 'web' }
    const watcher = new IntersectionObserver((entries) => {
      if (!entries.some((each) => each.isIntersecting)) return
      watcher.disconnect()
      this.track('Offer Seen', told)
    }, { threshold: 0.5 })
    watcher.observe(place)
    const click = (event) => {
      if (!event.target.closest('a,button')) return
      place.removeEventListener('click', click)
      this.track('Offer Clicked', told)
    }
    place.addEventListener('click', click)
  }
}

// Fill a field of the page's own markup, by what it is.
function set(field, value) {
  if (value === undefined || value === null) return
  const link = field.matches('a,img') ? safe(value) : null
  if (field.matches('img')) link && field.setAttribute('src', link)
  else if (field.matches('a')) link && field.setAttribute('href', link)
  else field.textContent = value
}

function plain({ title, text, image, link, button }) {
  const parts = []
  if (image && safe(image)) parts.push(make('img', '', { src: safe(image), alt: '' }))
  if (title) parts.push(make('strong', title))
  if (text) parts.push(make('p', text))
  if (link && safe(link)) parts.push(make('a', button || title, { href: safe(link) }))
  return parts
}
