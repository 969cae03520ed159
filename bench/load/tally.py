"""What was counted: per slice of time and per kind of request, mergeable over processes."""

from __future__ import annotations

from dataclasses import dataclass, field

from bench.load.histogram import Histogram


@dataclass(slots=True)
class Lane:
    """One kind of request within one slice of time.

    Attributes:
        due: requests that were meant to start in it.
        good: answered as expected.
        size: bytes of answers.
        errors: kind -> how many.
        latency: from the intended start to the whole answer, of good answers; one that ran into its deadline is in it
            with the time that it waited, since leaving it out would flatter.
    """

    due: int = 0
    good: int = 0
    size: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    latency: Histogram = field(default_factory=Histogram)

    def fail(self, kind: str) -> None:
        """Counts a request without a good answer."""
        self.errors[kind] = self.errors.get(kind, 0) + 1

    def merge(self, other: Lane) -> None:
        """Adds another's counts."""
        self.due += other.due
        self.good += other.good
        self.size += other.size
        for kind, count in other.errors.items():
            self.errors[kind] = self.errors.get(kind, 0) + count
        self.latency.merge(other.latency)

    @property
    def failed(self) -> int:
        """All errors."""
        return sum(self.errors.values())


@dataclass(slots=True)
class Tally:
    """All counts of a process, or of all of them.

    Attributes:
        slices: number of the slice -> name of the kind -> counts. A request counts where it was meant to start.
        late: how much after its time the client itself acted; large values mean that the client was too slow.
        retries: requests sent again because the server had closed an idle connection.
        connections: made.
        cpu_s: used by the client.
    """

    slices: dict[int, dict[str, Lane]] = field(default_factory=dict)
    late: Histogram = field(default_factory=Histogram)
    retries: int = 0
    connections: int = 0
    cpu_s: float = 0.0

    def lane(self, number: int, name: str) -> Lane:
        """The counts of a kind in a slice."""
        slice_ = self.slices.get(number)
        if slice_ is None:
            slice_ = self.slices[number] = {}
        lane = slice_.get(name)
        if lane is None:
            lane = slice_[name] = Lane()
        return lane

    def merge(self, other: Tally) -> None:
        """Adds another's counts."""
        for number, lanes in other.slices.items():
            for name, lane in lanes.items():
                self.lane(number, name).merge(lane)
        self.late.merge(other.late)
        self.retries += other.retries
        self.connections += other.connections
        self.cpu_s += other.cpu_s

    def total(self, name: str | None = None) -> Lane:
        """The sum over time of one kind, or of all."""
        total = Lane()
        for lanes in self.slices.values():
            for own, lane in lanes.items():
                if name in (None, own):
                    total.merge(lane)
        return total

    def names(self) -> list[str]:
        """The kinds that were counted."""
        return sorted({name for lanes in self.slices.values() for name in lanes})
