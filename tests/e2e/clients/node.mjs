// Makes the calls that it is told on standard input with @segment/analytics-node, and answers what it enqueued.
//
// In: {host, writeKey, settings, calls: [[method, parameters], ...]}; {"$date": text} stands for a Date.
// Out: {messageIds: [one for each call, in order], errors: [what the client reported]}.
import { Analytics } from '@segment/analytics-node'
import { text } from 'node:stream/consumers'

const revive = (_, value) => (value && value.$date ? new Date(value.$date) : value)
const { host, writeKey, settings, calls } = JSON.parse(await text(process.stdin), revive)

const analytics = new Analytics({ host, writeKey, ...settings })
const errors = []
analytics.on('error', (error) => errors.push(String(error.reason ?? error.code)))

const done = calls.map(
  ([method, parameters]) =>
    new Promise((resolve) => {
      analytics[method](parameters, (error, context) => resolve(context.event.messageId))
    }),
)
await analytics.closeAndFlush()
process.stdout.write(JSON.stringify({ messageIds: await Promise.all(done), errors }))
