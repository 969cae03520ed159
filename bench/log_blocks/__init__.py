"""Is a compressed block a batch better than a row a line, and by how much?"""
