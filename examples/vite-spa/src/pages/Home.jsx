import { Link } from 'react-router'
import { boats } from '../boats.js'
import { MESSAGE } from '../message.js'

export function Home() {
  return (
    <main>
      <h1>{MESSAGE}</h1>
      <ul>
        {boats.map((boat) => (
          <li key={boat.id}><Link to={`/boats/${boat.id}`}>{boat.name}</Link></li>
        ))}
      </ul>
    </main>
  )
}
