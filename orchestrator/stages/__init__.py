"""What the stages of a deployment do; orchestrator/deployment.py says in which order."""
