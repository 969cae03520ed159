"""Invitations: how somebody comes into a team or onto a project."""
