"""The live view of deployments."""
