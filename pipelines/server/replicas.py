"""Several servers of the same policies, which Ray places on its machines and restarts.

Each is a process of its own that listens on a port of its own; none stands between them and their
clients, who are told the addresses: gRPC's clients balance over such a list themselves. What a
replica that dies had begun is lost, and nothing else; its place is taken by a new one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from pipelines.server import logs, security
from pipelines.server.process import Server, Serving
from pipelines.system import files
from pipelines.system.cluster import connected
from pipelines.system.errors import first_line

_LOG = logging.getLogger("lookahead.serve")
# Hosts that stand for all addresses of a machine.
_EVERYWHERE = ("0.0.0.0", "::")
# Time between looks at the replicas, and how long one of them has to say where it is.
_LOOK_S, _ANSWER_S = 1.0, 5.0


class Replica:
    """One server, in a thread of a process that Ray has started.

    Args:
      serving: what, where; ports other than 0 are this replica's own.
    """

    def __init__(self, serving: Serving) -> None:
        try:
            logs.start()
            self._host = serving.listening.host
            self._server = Server(serving.service(), serving.listening)
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=self._loop.run_forever, daemon=True).start()
            self._run(self._server.start())
        except Exception as error:
            # Ray restarts processes that end, but not those whose actor could not be made.
            logs.event(_LOG, "not_started", logging.ERROR, reason=first_line(error))
            os._exit(1)

    def where(self) -> tuple[str, int, int]:
        """Address, port, gRPC port: as clients reach them."""
        import ray

        host = self._host
        if host in _EVERYWHERE:
            host = ray.util.get_node_ip_address()
        return host, self._server.port, self._server.grpc_port

    def stop(self) -> None:
        """Answers what is in progress, and takes nothing new."""
        self._run(self._server.stop())

    def _run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()


def serve(
    serving: Serving,
    count: int,
    ray_address: str | None,
    address_file: str | None,
    say: Callable[[str], None] = print,
) -> None:
    """Has so many replicas until SIGTERM or SIGINT, then drains all of them.

    Args:
      serving: of each; the i-th listens on `port` + i and `grpc_port` + i.
      count: of replicas, each with a core of its own.
      ray_address: of a cluster; None: one on this machine, with as many cores as replicas.
      address_file: gets the addresses whenever they change; None: none does.
      say: told of them too.

    Raises:
      UserError: Ray cannot be reached or started.
    """
    import ray

    listening = serving.listening
    security.check(listening.token_file, listening.tls_certificate, listening.tls_key)
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    with connected(ray_address, count, local_only=listening.host not in _EVERYWHERE):
        kind = ray.remote(Replica).options(num_cpus=1, max_restarts=-1)
        replicas = [kind.remote(_numbered(serving, i)) for i in range(count)]
        _watch(ray, replicas, address_file, say, ending)
        logs.event(_LOG, "draining", seconds=listening.drain_seconds)
        stopping = [replica.stop.remote() for replica in replicas]
        ray.wait(stopping, num_returns=count, timeout=listening.drain_seconds + _ANSWER_S)
    logs.event(_LOG, "ended")


def _numbered(serving: Serving, i: int) -> Serving:
    """The i-th replica's: several may share a machine."""
    listening = serving.listening
    ports = {
        name: port + i if (port := getattr(listening, name)) else port
        for name in ("port", "grpc_port")
    }
    return serving._replace(listening=listening._replace(**ports))


def _watch(
    ray: Any,
    replicas: Sequence[Any],
    address_file: str | None,
    say: Callable[[str], None],
    ending: threading.Event,
) -> None:
    """Tells the addresses of those that answer, whenever they change."""
    told: list[tuple[str, int, int]] | None = None
    asked = {replica: replica.where.remote() for replica in replicas}
    while not ending.is_set():
        began = time.monotonic()
        known = []
        done, _ = ray.wait(list(asked.values()), num_returns=len(asked), timeout=_ANSWER_S)
        for replica, where in asked.items():
            if where not in done:
                continue  # It is asked already.
            with contextlib.suppress(ray.exceptions.RayError):
                known.append(ray.get(where))
            asked[replica] = replica.where.remote()
        if known != told:
            told = known
            _tell(known, len(replicas), address_file, say)
        ending.wait(max(0.0, _LOOK_S - (time.monotonic() - began)))


def _tell(
    known: Sequence[tuple[str, int, int]],
    count: int,
    address_file: str | None,
    say: Callable[[str], None],
) -> None:
    rest = [f"{host}:{port}" for host, port, _ in known if port]
    grpc = [f"{host}:{port}" for host, _, port in known if port]
    logs.event(_LOG, "replicas", serving=len(known), of=count, rest=rest, grpc=grpc)
    say(f"serving {len(known)} of {count} replicas; gRPC ipv4:{','.join(grpc)}")
    if address_file is not None:
        with files.writing(address_file):
            files.atomic_write(address_file, json.dumps({"rest": rest, "grpc": grpc}) + "\n")
