// Shows a message: a dialog, a banner or a toast, apart from the styles of the page. Text is only ever text.
//
// A page gives it its own look by custom properties, which reach through: --courtesy-accent and --courtesy-on-accent (the
// button), --courtesy-surface, --courtesy-text, --courtesy-font, --courtesy-radius. Styles are sheets made by script, which a
// strict content security policy lets pass.

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

export function make(name, text, attributes = {}) {
  const element = document.createElement(name)
  if (text) element.textContent = text
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value)
  return element
}

export function sheetOf(styles) {
  const sheet = new CSSStyleSheet()
  sheet.replaceSync(styles)
  return sheet
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

// Calls `then` once half of it is in view, or half of the window is full of it.
export function whenSeen(element, then) {
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

// The box of a message, empty.
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

// Shows it, and returns what closes it. Where focus was, it is again afterwards.
export function show(message, answers, { texts }) {
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
    // The browser keeps focus within, makes the rest inert, and hands focus back.
    box.showModal()
    // On the box, so that whoever was about to press a key does not follow the link.
    box.focus()
  } else {
    // Filled once it is there, so that it is read aloud.
    requestAnimationFrame(() => box.append(...inner))
  }
  whenSeen(box, answers.seen)
  return () => {
    if (isDialog) box.close()
    else if (root.activeElement) before?.focus()
    host.remove()
  }
}
