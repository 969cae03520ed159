"""The audit log: what was changed in everything that teams own, and by whom."""
