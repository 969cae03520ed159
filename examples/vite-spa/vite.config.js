import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'
import { MESSAGE } from './src/message.js'

const describe = {
  name: 'describe',
  transformIndexHtml: (html) => html.replace('%MESSAGE%', MESSAGE),
}

export default defineConfig({ plugins: [react(), describe] })
