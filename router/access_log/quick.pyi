from router.access_log.noted import AccessLog, Entry
from router.access_log.writer import Writer

def quick_line(entry: Entry, offset: float, by: bytes) -> bytes | None: ...

class LineLog(AccessLog):
    writer: Writer | None
    def flush(self) -> None: ...
