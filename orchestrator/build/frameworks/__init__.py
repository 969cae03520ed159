"""What each framework looks like, and how it is built and run: one function each, tree in, plan or None out."""
