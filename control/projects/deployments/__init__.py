"""Deployments: what was asked for, and how far it got."""
