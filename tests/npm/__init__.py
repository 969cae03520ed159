"""Packages of npm that tests need: GitHub's published API and webhooks, a real OpenID provider."""
