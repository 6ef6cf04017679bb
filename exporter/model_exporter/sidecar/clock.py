"""The two clocks of the sidecar, in one place so that tests can inject their own."""

import time
from collections.abc import Callable


class Clock:
    """A monotonic clock for durations and a wall clock for timestamps, both in nanoseconds."""

    __slots__ = ("monotonic_ns", "wall_ns")

    def __init__(self, monotonic_ns: Callable[[], int], wall_ns: Callable[[], int]) -> None:
        self.monotonic_ns = monotonic_ns
        self.wall_ns = wall_ns

    def offset_ns(self) -> int:
        """Return what to add to a monotonic reading to get Unix time.

        Taken anew for every fold, so that a corrected wall clock corrects later timestamps, and
        no call has to read two clocks.
        """
        return self.wall_ns() - self.monotonic_ns()


SYSTEM_CLOCK = Clock(time.perf_counter_ns, time.time_ns)
