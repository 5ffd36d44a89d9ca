"""Why a request gets no answer, in the words of either protocol."""

from __future__ import annotations

import enum


class Why(enum.Enum):
    """Kinds of refusals: HTTP's status, and the name of gRPC's."""

    INVALID = 400, "INVALID_ARGUMENT"
    UNAUTHENTICATED = 401, "UNAUTHENTICATED"
    NOT_FOUND = 404, "NOT_FOUND"
    NOT_ALLOWED = 405, "UNIMPLEMENTED"
    TIMED_OUT = 408, "DEADLINE_EXCEEDED"
    CONFLICT = 409, "FAILED_PRECONDITION"
    GONE = 410, "NOT_FOUND"
    TOO_LARGE = 413, "RESOURCE_EXHAUSTED"
    TOO_MANY = 429, "RESOURCE_EXHAUSTED"
    FAILED = 500, "INTERNAL"
    UNAVAILABLE = 503, "UNAVAILABLE"
    LATE = 504, "DEADLINE_EXCEEDED"

    @property
    def http(self) -> int:
        """The status."""
        return self.value[0]

    @property
    def grpc(self) -> str:
        """The name of `grpc.StatusCode`."""
        return self.value[1]


class Refusal(Exception):
    """A request that is answered with a reason; its message is one line for whoever asked."""

    def __init__(self, why: Why, text: str) -> None:
        super().__init__(text)
        self.why = why


def invalid(text: str) -> Refusal:
    """A request that is wrong in itself."""
    return Refusal(Why.INVALID, text)
