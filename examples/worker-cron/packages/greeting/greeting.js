export const greet = (message) => `${message}. ${process.env.GREETING ?? 'Welcome'}!`
