"""Where lines are kept: the interface, and Postgres behind it."""
