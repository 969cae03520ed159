export const metadata = { title: 'About' }

export default function About() {
  return (
    <main>
      <h1>About</h1>
      <p>This page was rendered once, when the app was built.</p>
    </main>
  )
}
