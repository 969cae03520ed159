import express from 'express'
import { notes } from './notes.js'
import { page } from './page.js'

const MESSAGE = 'Hello from node-express'
const GREETING = process.env.GREETING ?? 'Welcome'

const app = express()
app.disable('x-powered-by')
app.set('trust proxy', true) // the router in front of us sets X-Forwarded-For and -Proto

app.get('/', (request, response) => {
  response.send(page({ message: MESSAGE, greeting: GREETING, host: request.hostname }))
})

app.use('/api/notes', notes)

const clocks = new Set()

app.get('/api/clock', (request, response) => {
  response.set({ 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' })
  response.flushHeaders()
  const tick = () => response.write(`data: ${new Date().toISOString()}\n\n`)
  tick()
  const timer = setInterval(tick, 1000)
  clocks.add(response)
  response.on('close', () => {
    clearInterval(timer)
    clocks.delete(response)
  })
})

app.use((request, response) => {
  response.status(404).json({ error: `nothing at ${request.path}` })
})

const server = app.listen(Number(process.env.PORT ?? 3000), '0.0.0.0', (error) => {
  if (error) throw error
  console.log(`listening on port ${server.address().port}`)
})
server.keepAliveTimeout = 65_000 // longer than the router's, so the router closes idle connections first
server.headersTimeout = 70_000

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, () => {
    console.log(`${signal}: finishing ${clocks.size} streams and the requests in flight`)
    server.close(() => process.exit(0))
    for (const response of clocks) response.end() // a stream without an end would hold us for ever
    server.closeIdleConnections()
  })
}
