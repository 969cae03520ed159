/** @type {import('next').NextConfig} */
const config = {
  poweredByHeader: false,
  turbopack: { root: import.meta.dirname }, // a lock file in a folder above must not move the root
}

export default config
