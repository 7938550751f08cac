// As a script: begins by itself when its own tag says the write key, and does what pages asked for before it was there.

import { init } from './index.js'

// `tag`: the script's own. `early`: functions of the site, from `(window.courtesy ||= []).push((site) => …)`.
export function boot(tag, early) {
  const waiting = Array.isArray(early) ? [...early] : []
  const courtesy = {
    site: null,
    init(options) {
      courtesy.site = init(options)
      courtesy.push()
      return courtesy.site
    },
    push(...asked) {
      waiting.push(...asked)
      if (courtesy.site) for (const each of waiting.splice(0)) attempt(each, courtesy.site)
    },
  }
  const { writeKey, options = '{}', page } = tag?.dataset ?? {}
  if (writeKey) {
    courtesy.init({ writeKey, url: tag.src.replace(/\/sdk\/.*$/, ''), ...JSON.parse(options) })
    if (page !== 'no') courtesy.site.page()
  }
  return courtesy
}

// What one of them does wrong is not the others' fault.
function attempt(ask, site) {
  try {
    ask(site)
  } catch (error) {
    reportError(error)
  }
}
