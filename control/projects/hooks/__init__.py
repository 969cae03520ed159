"""Hooks: what happens to a project is told to somebody else's server, a chat or a mailbox."""
