"""gunicorn reads this by itself; the port comes from $PORT, which it also reads by itself."""

worker_class = "gthread"  # the default worker closes every connection; this one keeps them for the router
workers = 1
threads = 8
keepalive = 65  # seconds; longer than the router's, so the router closes idle connections first
graceful_timeout = 25  # seconds that requests in flight have after SIGTERM
accesslog = "-"
control_socket_disable = True  # nothing here manages a running gunicorn
