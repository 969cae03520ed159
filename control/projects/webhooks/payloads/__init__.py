"""Payloads of the git hosts, read into the few events that matter here. Pure."""
