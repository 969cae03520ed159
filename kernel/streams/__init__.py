"""Redis streams: publishing through the outbox, consuming in groups, dead letters."""

from kernel.streams.connection import connect
from kernel.streams.consume import Consumer
from kernel.streams.follow import follow
from kernel.streams.outbox import first_time, publish
from kernel.streams.relay import OutboxRelay

__all__ = ["Consumer", "OutboxRelay", "connect", "first_time", "follow", "publish"]
