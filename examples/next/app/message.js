export const MESSAGE = 'Hello from next'
