"""The `shipoff` command, one module per group of commands."""
