"""The control plane: who may do what (auth), what is wanted (projects), and the door to both (gateway)."""
