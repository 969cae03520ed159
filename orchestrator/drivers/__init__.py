"""Runtimes behind one interface: base.py."""
