"""How many simulations fit into a time, judged by the calls so far."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import numpy as np

from pipelines.server.loaded import SIMULATIONS

# Weight of the newest call in the running mean, and the share of the time that is planned for.
_NEWEST = 0.2
_SHARE = 0.8


class Pace:
    """Seconds that a simulation takes: a running mean over the calls, whatever their rows."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds = 0.0

    def notice(self, seconds: float, shared: Mapping[str, np.ndarray]) -> None:
        """Learns from a call."""
        if SIMULATIONS in shared:
            found = seconds / int(shared[SIMULATIONS])
            with self._lock:
                weight = _NEWEST if self._seconds else 1.0
                self._seconds += weight * (found - self._seconds)

    def simulations(self, seconds: float, most: int) -> int:
        """That many fit, at least one: few different numbers, so that requests can be joined."""
        if not self._seconds:
            return 1
        fit = int(_SHARE * seconds / self._seconds)
        return max(1, min(rounded(fit), most)) if fit < most else most


def rounded(count: int) -> int:
    """The next lower of 1, 2, 3, 4, 6, 8, 12, 16, 24, …"""
    if count < 2:
        return 1
    power = 1 << (count.bit_length() - 1)
    return power + power // 2 if count >= power + power // 2 else power
