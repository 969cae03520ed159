import { createServer } from 'node:http'
import { greet } from '../../../packages/greeting/greeting.js'

const MESSAGE = 'Hello from worker-cron'

const server = createServer((request, response) => {
  response.setHeader('Content-Type', 'text/html; charset=utf-8')
  response.end(request.url === '/healthz' ? 'ok' : `<!doctype html><title>notes</title><h1>${greet(MESSAGE)}</h1>`)
})
server.listen(Number(process.env.PORT ?? 3000), '0.0.0.0')
process.on('SIGTERM', () => server.close())
