"""What games with legal moves show: a nest of the board and of what may be done."""

from __future__ import annotations

from typing import Any

BOARD, LEGAL = "board", "legal_actions"


def split(observation: Any) -> tuple[Any, Any | None]:
    """What the network sees, and the legal actions [..., A], or None where all of them are."""
    if isinstance(observation, dict) and BOARD in observation and LEGAL in observation:
        return observation[BOARD], observation[LEGAL]
    return observation, None
