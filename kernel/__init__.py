"""Vocabulary shared by every service; imports none of them."""
