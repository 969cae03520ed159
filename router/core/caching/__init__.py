"""What the response cache decides (RFC 9111, 5861, 9211, 9213), without I/O; edge/caching/ moves the bytes.

It refuses to be clever: what could belong to one person, or be read in two ways, is not kept.
"""
