"""How much a request through the router costs, beside nginx, HAProxy, Envoy, Traefik and Caddy."""
