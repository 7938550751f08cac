// What is kept on the visitor's device: in local storage, in a cookie where that is closed, and in memory before
// consent or where there is nothing else.

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

// Names and values that last. Until `open()` nothing touches the device; what was set by then is written then.
export class Device {
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

  // Forget all but what is named, and write nothing more until it is opened again.
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
      // It is full: memory has to do.
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

export function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID()
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  bytes[6] = (bytes[6] & 15) | 64
  bytes[8] = (bytes[8] & 63) | 128
  const hex = [...bytes].map((each) => each.toString(16).padStart(2, '0')).join('')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}
