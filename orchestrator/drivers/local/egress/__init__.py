"""The platform's one way out for tenants."""
