"""The access log: noted on the path, written in batches beside it, to a file or by way of the supervisor to logsink."""
