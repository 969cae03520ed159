"""How long is it from a push to the new content served, and where does the time go?"""
