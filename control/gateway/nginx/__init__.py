"""nginx in front of the gateway (README.md)."""
