"""Mails to people: written with the change that they tell of, sent when that has committed."""
