"""The API's reference, made of routes, annotations and docstrings (README.md)."""
