// Answers at once, or on /slow after a second and a half, which is longer than any switch takes.
const http = require('http')

const version = 'version 0'

const server = http.createServer((request, response) => {
  const delay = request.url === '/slow' ? 1500 : 0
  setTimeout(() => response.end(version), delay)
})
server.listen(process.env.PORT)
process.on('SIGTERM', () => server.close(() => process.exit(0)))
