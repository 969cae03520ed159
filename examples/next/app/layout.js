import Link from 'next/link'
import './style.css'

export const metadata = { title: 'next', description: 'Example app: Next.js on Shipoff' }

export default function Layout({ children }) {
  return (
    <html lang="en">
      <body>
        <nav><Link href="/">Home</Link> <Link href="/about">About</Link></nav>
        {children}
      </body>
    </html>
  )
}
