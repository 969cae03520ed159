"""Builds and instances as sandboxed processes of this machine."""
