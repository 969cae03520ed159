"""The door of the control plane: REST and git over HTTP."""
