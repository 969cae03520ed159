"""Custom domains: claimed by projects, proven by DNS, held by one project at a time."""
