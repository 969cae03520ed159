"""Preview environments: one per branch or pull request, limited in number, gone when they expire."""
