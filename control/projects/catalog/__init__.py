"""The catalog of projects: names, owners, and how each is built."""
