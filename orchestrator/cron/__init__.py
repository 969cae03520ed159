"""Cron jobs: commands of a release that run at times, each in an instance of its own."""
