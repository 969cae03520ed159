const escape = (text) => text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c])

/** The start page as HTML. */
export function page({ message, greeting, host }) {
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>node-express</title>
  </head>
  <body>
    <h1>${escape(message)}</h1>
    <p id="greeting">${escape(greeting)}</p>
    <p>You asked ${escape(host)}. There are <a href="/api/notes">notes</a> and a <a href="/api/clock">clock</a>.</p>
  </body>
</html>
`
}
