"""The one-machine platform and the `shipoff` command; the only package that may import services."""
