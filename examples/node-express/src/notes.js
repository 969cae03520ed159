import express from 'express'

const MAX_NOTES = 100
const stored = []

/** Notes in memory: gone with the instance, which is what an instance without a database is good for. */
export const notes = express.Router()

notes.use(express.json({ limit: '16kb' }))

notes.get('/', (request, response) => {
  response.json({ notes: stored })
})

notes.post('/', (request, response) => {
  const text = request.body?.text
  if (typeof text !== 'string' || text.trim() === '') {
    response.status(400).json({ error: 'text must be a non-empty string' })
    return
  }
  const note = { text: text.trim(), at: new Date().toISOString() }
  stored.push(note)
  stored.splice(0, stored.length - MAX_NOTES)
  response.status(201).json(note)
})
