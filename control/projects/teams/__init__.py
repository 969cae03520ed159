"""Teams as owners of projects: open until they are to be deleted."""
