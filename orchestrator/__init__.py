"""The orchestrator: consumes deployments, builds, releases, runs instances and publishes routes."""
