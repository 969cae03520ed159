"""How long a change of a route takes to reach every router."""
