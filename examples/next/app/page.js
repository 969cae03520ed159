import { Counter } from './components/counter.js'
import { MESSAGE } from './message.js'

export const dynamic = 'force-dynamic' // GREETING is read when the request comes, not when the app is built

export default function Home() {
  return (
    <main>
      <h1>{MESSAGE}</h1>
      <p id="greeting">{process.env.GREETING ?? 'Welcome'}</p>
      <Counter />
    </main>
  )
}
