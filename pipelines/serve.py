"""Serves policies that runs have saved, over REST and gRPC, in TensorFlow Serving's protocol.

python pipelines/serve.py --logdir=DIR [--logdir=DIR ...] [--policy=best|last] [--name=NAME ...]
    [--host=127.0.0.1] [--port=8501] [--grpc_port=8500] [--max_batch=64] [--token_file=FILE]
    [--tls_certificate=FILE --tls_key=FILE]
    [--replicas=N [--ray_address=HOST:PORT] [--address_file=FILE]]

A policy's name is its log directory's, or --name. Requests that arrive together are one call of
the policy, where that costs less; a SavedModel that a run saves meanwhile is taken. It listens to
this machine alone unless --host says otherwise; ports: 0 is any that is free, -1 none. SIGTERM or
Ctrl-C: what is in progress is answered first. Wrong input ends with one line and status 2. What is
asked and answered: pipelines/server/README.md, and /openapi.json of the server.
"""

from __future__ import annotations

import pathlib
import re
import sys
from collections.abc import Sequence

from absl import flags

from pipelines.serving import saved_run
from pipelines.system import command_line
from pipelines.system.errors import UserError
from pipelines.system.paths import PathParser

_FLAGS = flags.FlagValues()
_LOGDIR = flags.DEFINE_multi(
    PathParser(), flags.ArgumentSerializer(), "logdir", [], "Of a run.", flag_values=_FLAGS
)
_NAME = flags.DEFINE_multi_string(
    "name", [], "Of the policies, in the order of --logdir.", flag_values=_FLAGS
)
_POLICY = flags.DEFINE_enum(
    "policy", "best", ["best", "last"], "Which of a run's policies.", flag_values=_FLAGS
)
_HOST = flags.DEFINE_string("host", "127.0.0.1", "Address to listen on.", flag_values=_FLAGS)


def _integer(name: str, default: int | None, text: str, low: int, high: int | None = None):
    return flags.DEFINE_integer(
        name, default, text, lower_bound=low, upper_bound=high, flag_values=_FLAGS
    )


def _seconds(name: str, default: float, text: str):
    return flags.DEFINE_float(name, default, text, lower_bound=0.05, flag_values=_FLAGS)


def _file(name: str, text: str):
    return flags.DEFINE(PathParser(), name, None, text, flag_values=_FLAGS)


_PORT = _integer("port", 8501, "Of REST.", -1, 65535)
_GRPC_PORT = _integer("grpc_port", 8500, "Of gRPC.", -1, 65535)
_MAX_BATCH = _integer("max_batch", 64, "Rows of a batch, and of a request.", 1, 4096)
_MAX_WAITING = _integer("max_waiting", 1024, "Rows that may wait for their turn.", 1)
_MAX_BODY_MIB = _integer("max_body_mib", 16, "Size of a request.", 1, 1024)
_MAX_SIMULATIONS = _integer(
    "max_simulations", None, "That a request may ask for; by default the policy's room.", 1
)
_MAX_TIME_MS = _integer("max_time_ms", 10_000, "Time limit that a request may ask for.", 1)
_MAX_EPISODES = _integer("max_episodes", 10_000, "Of a policy, at one time.", 1)
_EPISODE_IDLE_S = _seconds("episode_idle_s", 600.0, "After which an idle episode is over.")
_TIMEOUT_S = _seconds("timeout_s", 30.0, "After which a request is refused.")
_RELOAD_S = _seconds("reload_s", 5.0, "Between looks for a new version.")
_DRAIN_S = _seconds("drain_s", 30.0, "For requests in progress, at the end.")
_TOKEN_FILE = _file("token_file", "Tokens that are let in, one a line; by default everybody.")
_TLS_CERTIFICATE = _file("tls_certificate", "PEM, of the server; by default no TLS.")
_TLS_KEY = _file("tls_key", "PEM, of the certificate.")
_REPLICAS = _integer("replicas", None, "That Ray places and restarts; by default this process.", 1)
_RAY_ADDRESS = flags.DEFINE_string(
    "ray_address", None, "Of a Ray cluster; by default one of this machine.", flag_values=_FLAGS
)
_ADDRESS_FILE = _file("address_file", "Where the replicas' addresses are written, as JSON.")

_NAMES = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def main(argv: list[str]) -> int:
    """Runs the program; returns the exit status, see `command_line`."""
    return command_line.run_program(argv, _FLAGS, __doc__, _serve)


def _serve() -> None:
    if not _LOGDIR.value:
        raise UserError("--logdir is missing; expected the log directory of a run")
    directories = [saved_run.find_policy(logdir, _POLICY.value) for logdir in _LOGDIR.value]
    named = dict(zip(_names(_LOGDIR.value, _NAME.value), directories, strict=True))
    # TensorFlow's import takes seconds; what is wrong above is answered before it.
    from pipelines.server import logs, process, replicas

    logs.start()
    serving = process.Serving(
        {name: str(directory.resolve()) for name, directory in named.items()},
        _limits(),
        (_MAX_EPISODES.value, _EPISODE_IDLE_S.value),
        _listening(),
    )
    if _REPLICAS.value is None:
        process.serve(serving, _say)
    else:
        replicas.serve(serving, _REPLICAS.value, _RAY_ADDRESS.value, _ADDRESS_FILE.value, _say)


def _say(line: str) -> None:
    print(line, flush=True)


def _names(logdirs: Sequence[str], given: Sequence[str]) -> list[str]:
    """The policies' names, all different."""
    if given and len(given) != len(logdirs):
        raise UserError(
            f"got {len(given)} of --name; expected one for each of {len(logdirs)} --logdir"
        )
    names = list(given) or [pathlib.Path(logdir).resolve().name for logdir in logdirs]
    for name in names:
        if not _NAMES.fullmatch(name):
            raise UserError(f"--name is '{name}'; expected letters, digits, '_', '.' and '-'")
        if names.count(name) > 1:
            raise UserError(f"two policies are called '{name}'; expected a --name for each")
    return names


def _limits():
    from pipelines.server.arrays import Limits

    return Limits(
        rows=_MAX_BATCH.value,
        body_bytes=_MAX_BODY_MIB.value << 20,
        simulations=_MAX_SIMULATIONS.value,
        milliseconds=_MAX_TIME_MS.value,
        waiting_rows=max(_MAX_WAITING.value, _MAX_BATCH.value),
        seconds=_TIMEOUT_S.value,
    )


def _listening():
    from pipelines.server.process import Listening

    return Listening(
        host=_HOST.value,
        port=None if _PORT.value < 0 else _PORT.value,
        grpc_port=None if _GRPC_PORT.value < 0 else _GRPC_PORT.value,
        token_file=_TOKEN_FILE.value,
        tls_certificate=_TLS_CERTIFICATE.value,
        tls_key=_TLS_KEY.value,
        reload_seconds=_RELOAD_S.value,
        drain_seconds=_DRAIN_S.value,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv))
