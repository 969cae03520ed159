"""Projects, their env vars and their deployments."""
