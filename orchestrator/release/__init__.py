"""B6: a release and what happens to it: started, gated, served, drained."""
