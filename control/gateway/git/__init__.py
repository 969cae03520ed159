"""git over HTTP: bare repositories, git's own CGI, and pushes that wait for their deployment."""
