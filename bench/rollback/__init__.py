"""How long is it from asking for a rollback to the old release serving on every router?"""
