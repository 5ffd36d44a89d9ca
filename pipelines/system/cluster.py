"""Ray, which places and restarts processes: joined, or started on this machine for a while."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import uuid
from collections.abc import Iterator
from typing import Any

from pipelines.system.errors import UserError, first_line

# Ray's own processes sometimes abort on a busy machine while they start.
_STARTS = 3
# `timeout`, systemd and Slurm send these to all processes of a job at once. Ray's must outlive the
# one that was started by hand, which saves and then ends them.
_STOPS = {signal.SIGTERM, signal.SIGHUP}


@contextlib.contextmanager
def connected(
    address: str | None, cores: float, *, memory_mb: int = 256, local_only: bool = True
) -> Iterator[None]:
    """Inside, Ray may be used; signals keep the handlers that they have.

    Args:
      address: of a cluster, or 'auto'; None: Ray is started on this machine, and ended behind.
      cores: that the processes to come ask for; started here, all of them are placed, whatever the
        machine has.
      memory_mb: of the object store, where Ray is started here.
      local_only: no other machine reaches what is started here.

    Raises:
      UserError: it cannot be reached or started.
    """
    # Before Ray is imported: it tells nobody of its use, and warns of no future.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    options: dict[str, Any] = {"address": address}
    if address is None:
        options = {
            "address": "local",
            "num_cpus": max(os.cpu_count() or 1, math.ceil(cores)),
            "object_store_memory": memory_mb * 2**20,
            "include_dashboard": False,
        }
        if local_only:
            options["_node_ip_address"] = "127.0.0.1"
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        _init(ray, options)
        for number, handler in handlers.items():
            signal.signal(number, handler)  # Ray's own would end this process at once.
        yield
    finally:
        ray.shutdown()


def _init(ray: Any, options: dict[str, Any]) -> None:
    if options["address"] != "local":  # Who is started here inherits it, from Ray's own processes.
        environment = {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}
        options = {**options, "runtime_env": {"env_vars": environment}}
    for left in reversed(range(_STARTS)):
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)  # Processes inherit it.
        try:
            ray.init(
                **options,
                namespace=f"lookahead-{uuid.uuid4().hex[:8]}",
                log_to_driver=False,
                logging_level="ERROR",
            )
            return
        except Exception as error:  # Ray has no common error of its own for this.
            ray.shutdown()
            if not left or options["address"] != "local":
                where = options["address"]
                raise UserError(f"no Ray at '{where}': {first_line(error)}") from error
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
