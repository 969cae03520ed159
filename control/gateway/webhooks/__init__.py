"""Webhooks at the door: taken in raw, within bounds, and handed to the service that knows the secrets."""
