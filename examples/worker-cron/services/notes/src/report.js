console.log(`report: written at ${new Date().toISOString()}`)
