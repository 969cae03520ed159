"""What the owner of a project says of its routes."""
