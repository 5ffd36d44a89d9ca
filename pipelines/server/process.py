"""The server's life: it loads, listens, serves, is asked to end, and drains."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import pathlib
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import grpc
from aiohttp import web

from pipelines.server import logs, security
from pipelines.server.arrays import Limits
from pipelines.server.grpc_services import GrpcServices
from pipelines.server.metrics import Metrics
from pipelines.server.models import Model
from pipelines.server.rest import Rest
from pipelines.server.service import Service
from pipelines.system.errors import UserError

_LOG = logging.getLogger("lookahead.serve")


class Listening(NamedTuple):
    """Where and how it listens.

    Attributes:
      host: an address of this machine.
      port, grpc_port: 0: any that is free; None: not at all.
      token_file, tls_certificate, tls_key: see `security`.
      reload_seconds: between looks for a new version.
      drain_seconds: that requests in progress have when it ends.
    """

    host: str = "127.0.0.1"
    port: int | None = 8501
    grpc_port: int | None = 8500
    token_file: str | None = None
    tls_certificate: str | None = None
    tls_key: str | None = None
    reload_seconds: float = 5.0
    drain_seconds: float = 30.0


class Serving(NamedTuple):
    """All that a server is made of; plain values, which travel to other machines.

    Attributes:
      directories: of SavedModels, by the names that they are served under.
      limits: of requests.
      episodes: how many a model may have at one time, and for how many idle seconds.
      listening: where.
    """

    directories: Mapping[str, str]
    limits: Limits
    episodes: tuple[int, float]
    listening: Listening

    def service(self) -> Service:
        """The models, loaded.

        Raises:
          UserError: one of them cannot be.
        """
        gc.collect()
        gc.freeze()  # What libraries have made stays, and is not looked through at each reload.
        metrics = Metrics()
        models = [
            Model(
                name,
                pathlib.Path(directory),
                self.limits,
                on_batch=metrics.on_batch(name),
                on_version=metrics.on_version(name),
            )
            for name, directory in self.directories.items()
        ]
        for model in models:
            model.load()
        return Service(models, self.limits, metrics, self.episodes)


class Server:
    """A service that listens.

    Attributes:
      port, grpc_port: that it listens on, once it has started.
    """

    def __init__(self, service: Service, listening: Listening) -> None:
        self._service, self._listening = service, listening
        self._tokens = security.Tokens(listening.token_file)
        pair = listening.tls_certificate, listening.tls_key
        self._tls, self._credentials = security.tls_context(*pair), security.grpc_credentials(*pair)
        self._runner: web.AppRunner | None = None
        self._rest = Rest(service, self._tokens)
        self._grpc: grpc.aio.Server | None = None
        self._watching: list[asyncio.Task] = []
        self.port = self.grpc_port = 0

    async def start(self) -> None:
        """Listens.

        Raises:
          UserError: a port is taken or may not be had.
        """
        if self._listening.port is not None:
            await self._start_rest()
        if self._listening.grpc_port is not None:
            await self._start_grpc()
        watchers = [
            *(m.watch(self._listening.reload_seconds) for m in self._service.models.values()),
            *(episodes.watch() for episodes in self._service.episodes.values()),
            self._rest.boards.watch(),
        ]
        self._watching = [asyncio.create_task(watcher) for watcher in watchers]

    async def stop(self) -> None:
        """Says that it ends, answers what is in progress, and ends."""
        self._service.draining = True
        seconds = self._listening.drain_seconds
        closing = []
        if self._grpc is not None:
            closing.append(self._grpc.stop(seconds))
        if self._runner is not None:
            closing.append(self._runner.cleanup())
        await asyncio.gather(*closing)
        await self._rest.boards.close()
        for task in self._watching:
            task.cancel()
        for model in self._service.models.values():
            model.close()

    async def _start_rest(self) -> None:
        app = self._rest.application()
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=self._listening.drain_seconds
        )
        await self._runner.setup()
        host, port = self._listening.host, self._listening.port
        site = web.TCPSite(self._runner, host, port, ssl_context=self._tls, backlog=1024)
        try:
            await site.start()
        except OSError as error:
            raise UserError(f"--port: cannot listen on {host}:{port}: {error.strerror}") from error
        self.port = self._runner.addresses[0][1]

    async def _start_grpc(self) -> None:
        most = self._service.limits.body_bytes
        options = [
            ("grpc.max_receive_message_length", most),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),
        ]
        self._grpc = grpc.aio.server(options=options)
        self._grpc.add_generic_rpc_handlers(GrpcServices(self._service, self._tokens).handlers())
        host, port = self._listening.host, self._listening.grpc_port
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            if self._credentials is None:
                self.grpc_port = self._grpc.add_insecure_port(address)
            else:
                self.grpc_port = self._grpc.add_secure_port(address, self._credentials)
        except RuntimeError as error:
            raise UserError(f"--grpc_port: cannot listen on {address}") from error
        await self._grpc.start()


def serve(serving: Serving, say: Callable[[str], None] = print) -> None:
    """Serves until SIGTERM or SIGINT, and drains.

    Raises:
      UserError: a policy cannot be loaded, or a port not be had.
    """
    # What is wrong with tokens and certificates is said before a policy is loaded.
    listening = serving.listening
    security.check(listening.token_file, listening.tls_certificate, listening.tls_key)
    service = serving.service()
    asyncio.run(_served(Server(service, listening), service, listening, say))


async def _served(
    server: Server, service: Service, listening: Listening, say: Callable[[str], None]
) -> None:
    ending, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    try:
        await server.start()
        for line in _announced(server, service, listening):
            say(line)
        await ending.wait()
        logs.event(_LOG, "draining", seconds=listening.drain_seconds)
    finally:
        with contextlib.suppress(asyncio.CancelledError):
            await server.stop()
    logs.event(_LOG, "ended")


def _announced(server: Server, service: Service, listening: Listening) -> Sequence[str]:
    names = ", ".join(f"{n} (version {m.newest.number})" for n, m in service.models.items())
    scheme = "https" if listening.tls_certificate else "http"
    host = f"[{listening.host}]" if ":" in listening.host else listening.host
    places = []
    if listening.port is not None:
        places.append(f"{scheme}://{host}:{server.port}")
    if listening.grpc_port is not None:
        places.append(f"gRPC {host}:{server.grpc_port}")
    logs.event(_LOG, "serving", models=list(service.models), places=places)
    alone = [
        f"{name} searches on the host, by rules that no SavedModel holds: what is served is its "
        "network's likeliest move; engine.py and match.py search"
        for name, model in service.models.items()
        if model.newest.policy.network_alone
    ]
    return [*alone, f"serving {names} at {' and '.join(places)}; Ctrl-C ends"]
