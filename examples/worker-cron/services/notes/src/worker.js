// Looks for something to do every few seconds; a real one would ask a queue.
const look = () => console.log('worker: nothing to send')
look()
const timer = setInterval(look, 5000)
process.on('SIGTERM', () => clearInterval(timer))
