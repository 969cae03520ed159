"""`python -m logsink`: the log service as a process."""

from kernel.service import run
from logsink.service import main

if __name__ == "__main__":
    run("logsink", main)
