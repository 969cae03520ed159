"""The environments of a project: production, and a preview per branch."""
