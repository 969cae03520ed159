"""API tokens: how an account proves itself to the API and to git."""
