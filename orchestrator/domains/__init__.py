"""Custom hosts: whose they are, and their routes beside the environment's own."""
