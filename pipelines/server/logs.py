"""What the server says of itself: a JSON object a line on stderr, never a request's content."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any


class _AsJson(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """The record's fields, and where it came with an error the place in our code."""
        fields = getattr(record, "fields", {"message": record.getMessage()})
        shown = {"time": round(record.created, 3), "level": record.levelname.lower(), **fields}
        if record.exc_info:
            shown["error"] = self.formatException(record.exc_info)
        return json.dumps(shown, default=str)


class Seldom:
    """Lets through so many events a second, and counts the others."""

    def __init__(self, most_a_second: int = 10) -> None:
        self._most, self._second, self._count, self._left_out = most_a_second, 0, 0, 0

    def __call__(self) -> int | None:
        """How many were left out since the last one; None: this one is left out."""
        now = int(time.monotonic())
        if now != self._second:
            self._second, self._count = now, 0
        self._count += 1
        if self._count > self._most:
            self._left_out += 1
            return None
        left_out, self._left_out = self._left_out, 0
        return left_out


def start(level: int = logging.INFO) -> None:
    """Sends the server's log to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_AsJson())
    logger = logging.getLogger("lookahead")
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(level)
    # It tells of everybody who speaks no HTTP; what fails in a handler is in the server's own log.
    logging.getLogger("aiohttp").setLevel(logging.CRITICAL)


def event(logger: logging.Logger, name: str, level: int = logging.INFO, **fields: Any) -> None:
    """One line."""
    if logger.isEnabledFor(level):
        logger.log(level, name, extra={"fields": {"event": name, **fields}})
