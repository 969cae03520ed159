export const MESSAGE = 'Hello from vite-spa'
