import { useState } from 'react'
import { Link, useParams } from 'react-router'
import { boats } from '../boats.js'

export function Boat() {
  const { id } = useParams()
  const [taken, setTaken] = useState(0)
  const boat = boats.find((one) => one.id === id)
  if (!boat) return <p>No boat has the number {id}. <Link to="/">All boats</Link></p>
  return (
    <main>
      <h1>{boat.name}</h1>
      <p>{taken} of {boat.seats} seats are taken.</p>
      <button disabled={taken === boat.seats} onClick={() => setTaken(taken + 1)}>Take a seat</button>
      <p><Link to="/">All boats</Link></p>
    </main>
  )
}
