"""The port of a replay server in this process: its own, and not the network's.

Reverb has gRPC listen on all of the machine's addresses and takes no other; whoever reaches the
port can read, change and empty the tables. But a socket may be bound to an interface, also when it
listens already: then the kernel shows it to nobody behind another one (Linux 5.7; before, to root).
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
from collections.abc import Iterator

from pipelines.system.errors import UserError

_LOOPBACK = "lo"
_NAME_BYTES = 16  # Of an interface, at most.


def reserve(port: int | None) -> socket.socket:
    """Binds `port` (or a free one), without listening, for as long as the server lives.

    gRPC shares ports between processes (SO_REUSEPORT), so that a second server would start without
    an error and take half of the first one's calls: the probe, which does not share, finds it. The
    reservation keeps the kernel from giving a free port to two runs that start at once.

    Raises:
      UserError: the port is in use, or none.
    """
    if port is not None and not 0 < port < 65536:
        raise UserError(f"replay port is {port}; expected 1 to 65535")
    try:
        if port is not None:
            _bound_socket(port, share=False).close()
        return _bound_socket(port or 0, share=True)
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        raise UserError(f"replay port {port} is in use; choose another, or none") from error


@contextlib.contextmanager
def for_this_machine_alone(port: int) -> Iterator[None]:
    """What its body has listen on `port` in this process is reached through 127.0.0.1 and ::1 only.

    Where the kernel does not allow it, a warning says so.
    """
    with contextlib.ExitStack() as decoys:
        # Whoever connects before the listener is bound meets one of these: that of an interface
        # goes before one of all interfaces. They never accept, and are gone soon.
        for name in _other_interfaces():
            with contextlib.suppress(OSError):
                decoy = decoys.enter_context(_bound_socket(port, share=True))
                _bind_to(decoy, name)
                decoy.listen()
        yield
        try:
            _withdraw(port)
        except OSError as error:
            print(
                f"warning: replay port {port} is open to the network ({error.strerror}); expected "
                "Linux 5.7 or later",
                file=sys.stderr,
            )


def _withdraw(port: int) -> None:
    """Binds this process's sockets that listen on `port` everywhere to the loopback interface."""
    level, found = socket.SOL_SOCKET, False
    for candidate in _sockets():
        with candidate:
            if candidate.getsockname()[1] != port or not candidate.getsockopt(
                level, socket.SO_ACCEPTCONN
            ):
                continue
            if not candidate.getsockopt(level, socket.SO_BINDTODEVICE, _NAME_BYTES):
                _bind_to(candidate, _LOOPBACK)
                found = True
    if not found:
        raise OSError(errno.ENOENT, "its socket was not found")


def _sockets() -> Iterator[socket.socket]:
    """This process's TCP sockets, in descriptors that are the caller's own."""
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # Other threads open and close theirs.
            if os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                found = socket.socket(fileno=os.dup(int(name)))
                if found.family in (socket.AF_INET, socket.AF_INET6):
                    yield found
                else:
                    found.close()


def _other_interfaces() -> list[str]:
    return [name for _, name in socket.if_nameindex() if name != _LOOPBACK]


def _bind_to(bound: socket.socket, interface: str) -> None:
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")


def _bound_socket(port: int, share: bool) -> socket.socket:
    dual = socket.has_dualstack_ipv6()
    bound = socket.socket(socket.AF_INET6 if dual else socket.AF_INET, socket.SOCK_STREAM)
    option = socket.SO_REUSEPORT if share else socket.SO_REUSEADDR
    try:
        bound.setsockopt(socket.SOL_SOCKET, option, 1)
        if dual:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        bound.bind(("", port))
    except OSError:
        bound.close()
        raise
    return bound
