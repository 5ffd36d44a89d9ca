"""The replay of a run: its server, here or elsewhere, saved with the run."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
import tempfile
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import reverb
from reverb.platform import checkpointers_lib

from pipelines.replay import ports, table_definitions
from pipelines.replay.client import Client
from pipelines.system import files
from pipelines.system.errors import UserError, nearest

_REMOTE_RECORD = "remote.json"
# The number and not the name, which is unknown where there is no /etc/hosts.
_HERE = "127.0.0.1"
_REVERB_FILES = ("chunks.tfrecord", "items.tfrecord", "tables.tfrecord")


class Replay:
    """The replay of a run: a server in this process, or the address of one elsewhere.

    Args:
      tables: the builder's tables. A remote server must already hold tables of these names.
      directory: where Reverb writes its own checkpoints (`<logdir>/replay`); None: a temporary one.
      address: 'host:port' of a remote server; None: a server in this process.
      port: of the server in this process; None: a free one.
      public: the server in this process answers other machines too, any of them.
      restore_from: a directory that `save` filled. The tables then hold exactly what they held at
        that moment: items, order, priorities, and the rate limiter's counts. Of their definitions
        the capacity alone may have changed. A remote server is restored by whoever runs it, so for
        one this is ignored.
      timeout_s: how long a server may stay silent before it is asked whether it lives, and how long
        it may take to answer that.
      should_stop: see `Client`.

    `close()` stops a server in this process, and leaves a remote one alone.

    Raises:
      UserError: port in use, nobody at `address`, table missing there, checkpoint unreadable or of
        other tables.
    """

    def __init__(
        self,
        tables: Sequence[reverb.Table],
        directory: str | os.PathLike[str] | None = None,
        *,
        address: str | None = None,
        port: int | None = None,
        public: bool = False,
        restore_from: str | os.PathLike[str] | None = None,
        timeout_s: float = 20.0,
        should_stop: Callable[[], bool] = lambda: False,
    ):
        self._owned: list[Any] = []
        # Also at the interpreter's end, before the modules that Reverb's own destructor needs go.
        self.close = weakref.finalize(self, _release, self._owned)
        if address is None:
            with table_definitions.fitted(_checked_checkpoint(restore_from), tables) as checkpoint:
                self._serve(tables, directory, port, public, checkpoint)
        else:
            self._address = _checked_address(address)
        self._client = Client(self._address, timeout_s, should_stop)
        if address is not None:
            self._check_tables([table.name for table in tables])

    @property
    def address(self) -> str:
        """'host:port' of the server."""
        return self._address

    @property
    def client(self) -> Client:
        """A client of the server."""
        return self._client

    @property
    def in_process(self) -> bool:
        """Whether the server lives in this process."""
        return bool(self._owned)

    def size(self, table: str) -> int:
        """Returns the number of items in `table`; a UserError when the server is gone."""
        return self._client.server_info()[table].current_size

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Writes everything that `restore_from` needs into `directory`, which it makes.

        The files are hard links to Reverb's checkpoint (copies where links do not work): Reverb
        keeps only its newest checkpoint, these stay until `directory` is removed. Time and bytes
        grow with the tables' data, all of which is written each time: 100 episodes of 126 64x64x3
        frames (148 MiB) take 7.6 MiB and about 1 s when rendered by cartpole, 154 MiB and 9 s of
        processor time when they are noise, which does not compress.
        A remote server saves itself, on its own disk; `directory` then only records where.

        Raises:
          UserError: the server is gone, or the disk does not take the data.
        """
        target = pathlib.Path(directory)
        source = self._checkpoint()
        with files.writing(target):
            target.mkdir(parents=True, exist_ok=True)
            if self.in_process:
                for file in sorted(pathlib.Path(source).iterdir()):
                    _link_or_copy(file, target / file.name)
            else:
                record = {"address": self._address, "checkpoint": source}
                (target / _REMOTE_RECORD).write_text(json.dumps(record))

    def _serve(
        self,
        tables: Sequence[reverb.Table],
        directory: str | os.PathLike[str] | None,
        port: int | None,
        public: bool,
        restore_from: str | None,
    ) -> None:
        if directory is None:
            temporary = tempfile.TemporaryDirectory(prefix="replay-")
            self._owned.append(temporary.cleanup)
            directory = temporary.name
        self._directory = pathlib.Path(directory)
        with files.writing(self._directory):
            self._directory.mkdir(parents=True, exist_ok=True)
            _remove_old_checkpoints(self._directory)
        reservation = ports.reserve(port)
        self._owned.append(reservation.close)
        number = reservation.getsockname()[1]
        checkpointer = checkpointers_lib.DefaultCheckpointer(
            str(self._directory), fallback_checkpoint_path=restore_from
        )
        try:
            with contextlib.nullcontext() if public else ports.for_this_machine_alone(number):
                server = reverb.Server(tables, port=number, checkpointer=checkpointer)
        except (ValueError, RuntimeError) as error:
            self.close()
            raise UserError(f"cannot start the replay server: {_first_line(error)}") from error
        self._owned.append(server.stop)
        _go_round_proxies()
        self._address = f"{_HERE}:{number}"

    def _check_tables(self, names: Sequence[str]) -> None:
        try:
            there = self._client.server_info()
        except UserError as error:
            raise UserError(
                f"no replay server answers at {self._address}; expected one with the table"
                f" '{names[0]}'"
            ) from error
        for name in names:
            if name not in there:
                raise UserError(
                    f"replay server at {self._address} has no table '{name}'"
                    f"; it has {', '.join(sorted(there))}{nearest(name, there)}"
                )

    def _checkpoint(self) -> str:
        try:
            return self._client.checkpoint()
        # Reverb raises what its status code maps to in Python: IndexError when a disk is full.
        except (RuntimeError, ValueError, LookupError, OSError) as error:
            if self.in_process:
                _remove_unfinished_checkpoints(self._directory)
            where = self._directory if self.in_process else f"replay of {self._address}"
            raise UserError(f"cannot write {where}: {files.reason(str(error))}") from error


def _release(owned: list[Callable[[], None]]) -> None:
    while owned:
        owned.pop()()


def _checked_address(address: str) -> str:
    host, colon, port = address.rpartition(":")
    if not (host and colon and port.isdigit() and 0 < int(port) < 65536):
        raise UserError(f"replay address is '{address}'; expected host:port, as in localhost:8000")
    return address


def _go_round_proxies() -> None:
    """Keeps gRPC from asking a proxy of the user's (http_proxy) for a server on this machine."""
    names = ("no_grpc_proxy", "no_proxy")  # As gRPC reads them: the first one that is set.
    exempt = next((os.environ[name] for name in names if os.environ.get(name)), "")
    if _HERE not in exempt.split(","):
        os.environ["no_grpc_proxy"] = ",".join(filter(None, (exempt, _HERE)))  # noqa: SIM112


def _checked_checkpoint(directory: str | os.PathLike[str] | None) -> str | None:
    if directory is None:
        return None
    missing = [f for f in _REVERB_FILES if not (pathlib.Path(directory) / f).is_file()]
    if missing:
        raise UserError(f"no replay checkpoint in {directory}: {missing[0]} is missing")
    return str(directory)


def _remove_old_checkpoints(directory: pathlib.Path) -> None:
    """Removes Reverb's checkpoints of an earlier run, which it would load in place of ours."""
    for child in directory.iterdir():
        if child.is_dir() and any((child / file).exists() for file in _REVERB_FILES):
            shutil.rmtree(child)


def _remove_unfinished_checkpoints(directory: pathlib.Path) -> None:
    """Removes what Reverb leaves when a disk is full, so that the next attempt has the room."""
    for child in directory.iterdir():
        if child.is_dir() and not (child / "DONE").exists():
            shutil.rmtree(child, ignore_errors=True)


def _link_or_copy(source: pathlib.Path, target: pathlib.Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
