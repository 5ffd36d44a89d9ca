"""A Reverb client whose calls end when their server is gone, or when the run is to stop.

Reverb's own wait for ever. These wait as long as the server lives: after `timeout_s` it is asked,
and gives one line for the user when it does not answer: `replay server at host:port is gone`.
"""

from __future__ import annotations

import contextlib
import math
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
import reverb
import tensorflow as tf

from pipelines.system.errors import Interrupted, UserError

T = TypeVar("T")
Outcome = tuple[Any, BaseException | None]

# How long Python is blind to signals while C++ waits, in seconds.
_GLANCE = 0.2
# What a stop leaves to a call that writes, in seconds, since one that would end by itself is better
# not cut: half of an episode would be in the table, or an update done and its priorities not told.
_GRACE = 5.0

# What gRPC says, by how far a call had come when the server went.
_SIGNS_OF_A_LOST_SERVER = (
    "connect",
    "socket",
    "unavailable",
    "deadline",
    "broken pipe",
    "endpoint",
    "goaway",
    "recvmsg",
    "sendmsg",
    "transport",
    "end of tcp stream",
)


def started(function: Callable[[], Any]) -> Callable[[float], Outcome]:
    """Starts `function()` in a thread; returns what waits for its value or error.

    That takes seconds and raises queue.Empty where they do not suffice. The thread is left behind
    when the call never returns: the only way to get away from C++ that cannot be cancelled.
    """
    outcome: queue.SimpleQueue[Outcome] = queue.SimpleQueue()

    def target() -> None:
        try:
            outcome.put((function(), None))
        except BaseException as error:
            outcome.put((None, error))

    threading.Thread(target=target, daemon=True).start()
    return lambda seconds: outcome.get(timeout=seconds)


@contextlib.contextmanager
def gone_as_user_error(address: str) -> Iterator[None]:
    """Turns the many errors of a server that does not answer into one UserError."""
    try:
        yield
    except (
        TimeoutError,
        reverb.errors.DeadlineExceededError,
        tf.errors.UnavailableError,
        tf.errors.DeadlineExceededError,
        tf.errors.CancelledError,
    ) as error:
        raise UserError(f"replay server at {address} is gone") from error
    except RuntimeError as error:
        if says_gone(error):
            raise UserError(f"replay server at {address} is gone") from error
        raise


def says_gone(error: BaseException) -> bool:
    """Reverb's Python layer loses gRPC's status code; only the text tells the cases apart."""
    text = str(error).lower()
    return any(sign in text for sign in _SIGNS_OF_A_LOST_SERVER)


class Client(reverb.Client):
    """A Reverb client as Acme 0.2.2 expects it, whose calls notice that the server is gone.

    Args:
      server_address: 'host:port'.
      timeout_s: how long a server may stay silent before it is asked whether it lives, and how long
        it may take to answer that.
      should_stop: asked while something waits for the server, which then ends with `Interrupted`.
    """

    def __init__(
        self,
        server_address: str,
        timeout_s: float = 20.0,
        should_stop: Callable[[], bool] = lambda: False,
    ):
        super().__init__(server_address)
        self.timeout_s = timeout_s
        self.makes_items = True
        self._should_stop = should_stop

    def __reduce__(self) -> tuple[Any, ...]:
        return self.__class__, (self.server_address, self.timeout_s)

    def patiently(self, poll: Callable[[float], T], grace: float = 0.0) -> T:
        """Returns what `poll` gives, for whose sake the server is waited for as long as it lives.

        Args:
          poll: called with seconds; raises queue.Empty, or Reverb's DeadlineExceededError, when
            these have passed and it is to be called again.
          grace: seconds that it may take even if the run is to stop.

        Raises:
          Interrupted: the run is to stop.
          UserError: the server is gone.
        """
        start = asked = time.monotonic()
        while True:
            try:
                return poll(min(_GLANCE, self.timeout_s))
            except (queue.Empty, reverb.errors.DeadlineExceededError):
                now = time.monotonic()
            if now - start >= grace and self._should_stop():
                raise Interrupted
            if now - asked >= self.timeout_s:
                self.server_info(grace=grace)
                asked = time.monotonic()

    def server_info(self, timeout: float | None = None, grace: float = 0.0) -> dict[str, Any]:
        """Returns the tables' metadata by name, within `timeout` seconds (None: `timeout_s`).

        Raises:
          Interrupted, UserError: see `patiently`.
        """
        seconds = max(1, round(timeout or self.timeout_s))
        answer = started(lambda: reverb.Client.server_info(self, seconds))
        start = time.monotonic()
        while True:
            try:
                return self._value(answer(_GLANCE))
            except queue.Empty:  # For no longer than Reverb's own limit.
                if time.monotonic() - start >= grace and self._should_stop():
                    raise Interrupted from None

    def checkpoint(self) -> str:
        """Makes the server write a checkpoint, which may take long; returns its path there.

        It is not cut short by a stop, which has it written.

        Raises:
          UserError: the server is gone.
          RuntimeError, LookupError, ValueError, OSError: it cannot write.
        """
        return self._call(super().checkpoint, grace=math.inf)

    def trajectory_writer(
        self, num_keep_alive_refs: int, *, validate_items: bool = True, **acme_only: Any
    ) -> PatientWriter:
        """Makes a writer; `get_signature_timeout_ms`, which Acme 0.2.2 passes, is not used.

        Raises:
          Interrupted, UserError: see `patiently`.
        """
        acme_only.pop("get_signature_timeout_ms", None)
        options = {"validate_items": validate_items, **acme_only}
        make = super().trajectory_writer
        writer = self._call(lambda: make(num_keep_alive_refs, **options), _GRACE)
        return PatientWriter(writer, self)

    @contextlib.contextmanager
    def making_no_items(self) -> Iterator[None]:
        """Inside, writers take steps as ever but make no items of them."""
        self.makes_items = False
        try:
            yield
        finally:
            self.makes_items = True

    def sample_items(self, table: str, num_samples: int = 1) -> list[Any]:
        """Returns `num_samples` items (a ReplaySample each, unpacked as the table's signature).

        For whole tables and for looking at one: others read through pipelines/replay/datasets.py.

        Raises:
          Interrupted, UserError: see `patiently`.
        """
        options = {"emit_timesteps": False, "unpack_as_table_signature": True}
        return self._call(lambda: list(self.sample(table, num_samples, **options)))

    def update_priorities(self, table: str, keys: Any, priorities: Any) -> None:
        """Gives items their priorities; items that have left the table are passed over.

        Args:
          table: where the items are.
          keys: uint64 [B]; of equal ones the last counts.
          priorities: floats [B], not negative.

        Raises:
          Interrupted, UserError: see `patiently`.
        """
        updates = dict(zip(np.asarray(keys).tolist(), np.asarray(priorities).tolist(), strict=True))
        self._call(lambda: self.mutate_priorities(table, updates), _GRACE)

    def _call(self, function: Callable[[], T], grace: float = 0.0) -> T:
        return self._value(self.patiently(started(function), grace))

    def _value(self, outcome: Outcome) -> Any:
        value, error = outcome
        if error is not None:
            with gone_as_user_error(self.server_address):
                raise error
        return value


class PatientWriter:
    """A TrajectoryWriter whose blocking calls wait as long as the server lives, and no longer.

    A full table under a rate limiter may rightly hold a writer up for minutes; a dead server must
    not, nor a stop. What `Interrupted` cuts short is in the table in part.
    """

    def __init__(self, writer: reverb.TrajectoryWriter, client: Client):
        self._writer = writer
        self._client = client
        self._given_up = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writer, name)

    def create_item(self, *args: Any, **kwargs: Any) -> None:
        """Makes an item of steps in the writer's history."""
        if self._client.makes_items:
            self._writer.create_item(*args, **kwargs)

    def flush(self, block_until_num_items: int = 0, timeout_ms: int | None = None) -> None:
        """Waits until at most `block_until_num_items` items are unconfirmed."""
        self._wait(lambda ms: self._writer.flush(block_until_num_items, ms), timeout_ms)

    def end_episode(self, clear_buffers: bool = True, timeout_ms: int | None = None) -> None:
        """Waits until every item is confirmed, then forgets the episode."""
        self._wait(lambda ms: self._writer.flush(0, ms), timeout_ms)
        self._wait(lambda ms: self._writer.end_episode(clear_buffers, ms), timeout_ms)

    def _wait(self, call: Callable[[int], None], timeout_ms: int | None) -> None:
        if self._given_up:
            return  # Already reported; an adder's destructor must not wait for it once more.
        if timeout_ms is not None:
            return call(timeout_ms)
        try:
            self._client.patiently(lambda seconds: call(max(1, int(1000 * seconds))), _GRACE)
        except (Interrupted, UserError):
            self._given_up = True
            raise
