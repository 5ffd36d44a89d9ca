"""Something that takes long to make, made in the background while its user is answered."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Loading(Generic[T]):
    """Makes it in a thread of its own, at once."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: T | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def result(self) -> T:
        """Returns it when it is made, or raises what making it has raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._made

    def wait(self) -> T | None:
        """The same, but None where that has failed."""
        self._thread.join()
        return self._made

    def _run(self) -> None:
        try:
            self._made = self._make()
        except BaseException as error:  # Whoever wants the result has to hear of it.
            self._error = error
