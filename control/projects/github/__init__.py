"""GitHub's REST API, as much of it as the platform needs, and what the platform tells GitHub."""
