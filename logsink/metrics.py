"""What /metrics says of the log service."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

LINES: Final = Counter("logsink_lines", "Lines stored", ["source"])
TEXT_BYTES: Final = Counter("logsink_text_bytes", "Bytes of text stored, before compression")
BLOCK_BYTES: Final = Counter("logsink_block_bytes", "Bytes of blocks appended, compressed")
REQUESTS: Final = Counter("logsink_requests", "Requests of routers stored")
REQUEST_BATCHES: Final = Counter("logsink_request_batches", "Batches of requests by what became of them", ["result"])
BATCHES: Final = Counter("logsink_batches", "Batches by what became of them", ["result"])
COMMIT_SECONDS: Final = Histogram(
    "logsink_commit_seconds",
    "One group of batches, from taking it up to its commit",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2),
)
QUEUED_BYTES: Final = Gauge("logsink_queued_bytes", "Text that waits to be committed")
FOLLOWERS: Final = Gauge("logsink_followers", "Open live views")
SKIPPED: Final = Counter("logsink_follower_lines_skipped", "Lines that slow followers lost (they stay stored)")
COMPACTED: Final = Counter("logsink_blocks_compacted", "Blocks that were merged into larger ones")
EXPIRED: Final = Counter("logsink_blocks_expired", "Blocks deleted by retention", ["reason"])
