"""What the router decides, sans-I/O: no module here knows a socket, a loop or a bus."""
