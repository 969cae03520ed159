"""Pages for people: signing in, and saying yes to a program that wants to."""
