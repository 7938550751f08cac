// Shows a message: a dialog, a banner or a toast, apart from the styles of the page. Text is only ever text.

const STYLES = `
:host{all:initial}
*{box-sizing:border-box}
.box{font:16px/1.5 system-ui,sans-serif;color:#1a1a1a;background:#fff;border:1px solid #767676;border-radius:8px;
padding:20px 24px;max-width:min(440px,calc(100vw - 32px));text-align:start;animation:come .2s ease-out}
dialog.box{margin:auto}
dialog::backdrop{background:#0008}
.banner,.toast{position:fixed;z-index:2147483647;box-shadow:0 4px 24px #0004}
.banner{inset-inline:0;bottom:0;max-width:none;border-radius:0}
.toast{inset-inline-end:16px;bottom:16px}
img{display:block;max-width:100%;max-height:40vh;margin:0 auto 16px;border-radius:4px}
h2{font-size:1.2em;margin:0 0 8px}p{margin:0 0 16px;white-space:pre-line;overflow-wrap:anywhere}
.row{display:flex;flex-wrap:wrap;gap:8px;justify-content:flex-end}
button,a{font:inherit;min-height:44px;padding:8px 16px;border-radius:6px;border:1px solid #1a1a1a;background:#fff;
color:#1a1a1a;cursor:pointer;text-decoration:none}
a{background:#1a1a1a;color:#fff}
:focus-visible{outline:3px solid #0b57d0;outline-offset:2px}
@keyframes come{from{opacity:0;transform:translateY(8px)}}
@media(prefers-reduced-motion:reduce){.box{animation:none}}
@media(prefers-color-scheme:dark){.box,button{background:#1e1e1e;color:#f2f2f2}button{border-color:#f2f2f2}
a{background:#f2f2f2;color:#1a1a1a}:focus-visible{outline-color:#a8c7fa}}`

export function make(name, text, attributes = {}) {
  const element = document.createElement(name)
  if (text) element.textContent = text
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value)
  return element
}

// An address that leads to a page; null for any other, such as a script.
export function safe(link) {
  try {
    const url = new URL(link, location.href)
    return ['https:', 'http:'].includes(url.protocol) ? url.href : null
  } catch {
    return null
  }
}

function body(message, answers, texts) {
  const link = message.link ? safe(message.link) : null
  const row = make('div', '', { class: 'row' })
  const close = make('button', texts.close, { type: 'button' })
  close.addEventListener('click', answers.dismiss)
  row.append(close)
  if (link) {
    const go = make('a', message.display?.button || texts.open, { href: link })
    go.addEventListener('click', answers.click)
    row.append(go)
  }
  const picture = message.image?.url && safe(message.image.url)
  const image = picture && make('img', '', { src: picture, alt: message.image.alt || '' })
  const parts = [image, message.title && make('h2', message.title, { id: 'title' }), message.text && make('p', message.text)]
  return [...parts.filter(Boolean), row]
}

// Shows it, and returns what closes it. Where focus was, it is again afterwards.
export function show(message, answers, { texts }) {
  const style = message.display?.style ?? 'dialog'
  const host = make('div', '', { 'data-courtesy-message': message.message })
  const root = host.attachShadow({ mode: 'open' })
  const sheet = new CSSStyleSheet()
  sheet.replaceSync(STYLES)
  root.adoptedStyleSheets = [sheet]
  const isDialog = style === 'dialog'
  const box = make(isDialog ? 'dialog' : 'div', '', { class: `box ${style}`, dir: 'auto', lang: message.locale || '' })
  if (!message.locale) box.removeAttribute('lang')
  if (style === 'toast') box.setAttribute('role', 'status')
  if (style === 'banner') box.setAttribute('role', 'region')
  if (message.title) box.setAttribute('aria-labelledby', 'title')
  else box.setAttribute('aria-label', texts.message)
  const inner = body(message, answers, texts)
  box.addEventListener('cancel', (event) => {
    event.preventDefault()
    answers.dismiss()
  })
  box.addEventListener('keydown', (event) => !isDialog && event.key === 'Escape' && answers.dismiss())
  root.append(box)
  document.body.append(host)
  if (isDialog) {
    box.append(...inner)
    // The browser keeps focus within, makes the rest inert, and hands focus back.
    box.showModal()
  } else {
    // Filled once it is there, so that it is read aloud.
    requestAnimationFrame(() => box.append(...inner))
  }
  answers.seen()
  return () => {
    if (isDialog) box.close()
    host.remove()
  }
}
