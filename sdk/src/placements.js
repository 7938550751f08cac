// Places of a page for offers: <div data-courtesy-placement="hero">what stands there otherwise</div>.
//
// A place keeps its room, unseen, until its offer is there with its picture; when that takes too long, what was there
// stays.

import { make, safe, sheetOf, whenSeen } from './render.js'

const ATTRIBUTE = 'data-courtesy-placement'
const STATE = 'data-courtesy-state'
const NAMES_MAX = 10
const UNSEEN = `[${ATTRIBUTE}]:not([${STATE}]){visibility:hidden}`

// Keeps the room of places, also of those that are yet to come, until it is released or the time is over.
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

// The offer once its picture can be drawn at once; without a picture when there is none to be had.
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

export class Placements {
  constructor(ask, track, options) {
    Object.assign(this, { ask, track, options })
  }

  // To be called before the page is drawn.
  async fill(names) {
    const room = hold(this.options.placementTimeoutMs)
    // Which places there are is not known before the page is read, unless they were named.
    if (!names.length) await this.read()
    const places = () => [...document.querySelectorAll(`[${ATTRIBUTE}]:not([${STATE}])`)]
    const nameOf = (place) => place.getAttribute(ATTRIBUTE)
    const wanted = [...new Set([...names, ...places().map(nameOf)])].slice(0, NAMES_MAX)
    const found = wanted.length ? await Promise.race([this.offers(wanted), room.over]) : {}
    await this.read()
    for (const place of places()) {
      const offer = found?.[nameOf(place)]
      // What a visitor sees already is not taken from under their eyes.
      const isInTime = offer && !room.isOver
      if (isInTime) this.put(place, offer)
      place.setAttribute(STATE, isInTime ? 'filled' : 'default')
    }
    room.release()
  }

  // What stands where; nothing when nobody can say.
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

  // Both are told once.
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

// Fill a field of the page's own markup, by what it is.
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
