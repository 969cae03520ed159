"""The developer's half of the `shipoff` command: a client of the REST API and of git. Standard library only."""
