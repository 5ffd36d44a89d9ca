"""A Reverb client whose calls end when their server is gone.

Reverb's own wait for ever. These give up when the server does not answer, with one line for the
user: `replay server at host:port is gone`.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
import reverb
import tensorflow as tf

from pipelines.system.errors import UserError

T = TypeVar("T")

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


def call_within(function: Callable[[], T], timeout_s: float) -> T:
    """Returns `function()`, or raises TimeoutError when it takes longer than `timeout_s` seconds.

    The call runs in a daemon thread, which is left behind when it never returns: the only way to
    get away from a call into C++ that cannot be cancelled.
    """
    outcome: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()

    def target() -> None:
        try:
            outcome.put((function(), None))
        except BaseException as error:
            outcome.put((None, error))

    threading.Thread(target=target, daemon=True).start()
    try:
        value, error = outcome.get(timeout=timeout_s)
    except queue.Empty:
        raise TimeoutError(f"no answer within {timeout_s} s") from None
    if error is not None:
        raise error
    return value


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
      timeout_s: how long a server may stay silent before it counts as gone.
    """

    def __init__(self, server_address: str, timeout_s: float = 20.0):
        super().__init__(server_address)
        self.timeout_s = timeout_s
        self.makes_items = True

    def __reduce__(self) -> tuple[Any, ...]:
        return self.__class__, (self.server_address, self.timeout_s)

    def server_info(self, timeout: float | None = None) -> dict[str, Any]:
        """Returns the tables' metadata by name; a UserError when the server is gone."""
        with gone_as_user_error(self.server_address):
            return super().server_info(max(1, round(timeout or self.timeout_s)))

    def trajectory_writer(
        self, num_keep_alive_refs: int, *, validate_items: bool = True, **acme_only: Any
    ) -> PatientWriter:
        """Makes a writer; `get_signature_timeout_ms`, which Acme 0.2.2 passes, is not used."""
        acme_only.pop("get_signature_timeout_ms", None)
        writer = super().trajectory_writer(
            num_keep_alive_refs, validate_items=validate_items, **acme_only
        )
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

        For tests and for looking at a table: training reads through pipelines/replay/datasets.py.
        """

        def read() -> list[Any]:
            options = {"emit_timesteps": False, "unpack_as_table_signature": True}
            return list(self.sample(table, num_samples, **options))

        with gone_as_user_error(self.server_address):
            return call_within(read, self.timeout_s)

    def update_priorities(self, table: str, keys: Any, priorities: Any) -> None:
        """Gives items their priorities; items that have left the table are passed over.

        Args:
          table: where the items are.
          keys: uint64 [B]; of equal ones the last counts.
          priorities: floats [B], not negative.

        Raises:
          UserError: the server is gone.
        """
        updates = dict(zip(np.asarray(keys).tolist(), np.asarray(priorities).tolist(), strict=True))
        with gone_as_user_error(self.server_address):
            call_within(lambda: self.mutate_priorities(table, updates), self.timeout_s)


class PatientWriter:
    """A TrajectoryWriter whose blocking calls wait as long as the server lives, and no longer.

    A full table under a rate limiter may rightly hold a writer up for minutes; a dead server must
    not. Both look alike to Reverb, so each time the wait grows long the server is asked.
    """

    def __init__(self, writer: reverb.TrajectoryWriter, client: Client):
        self._writer = writer
        self._client = client
        self._gone = False

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
        if self._gone:
            return  # Already reported; an adder's destructor must not wait for it once more.
        while True:
            try:
                with_limit = (
                    int(self._client.timeout_s * 1000) if timeout_ms is None else timeout_ms
                )
                return call(with_limit)
            except reverb.errors.DeadlineExceededError:
                if timeout_ms is not None:
                    raise
                self._ask()

    def _ask(self) -> None:
        try:
            self._client.server_info()
        except UserError:
            self._gone = True
            raise
