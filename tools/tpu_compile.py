#!/usr/bin/env python
"""Compiles HLO for one chip of a TPU that is not there; prints one JSON object.

`tpu_check.py` calls it by the Python of an environment that has `jax[tpu]` and `libtpu`, and
nothing of this project: `tpu_compile.py FILE.hlo TOPOLOGY`.
"""

from __future__ import annotations

import json
import os
import pathlib
import sys
import time
from typing import Any

# No TPU is looked for, and none is claimed.
os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")
os.environ.setdefault("ALLOW_MULTIPLE_LIBTPU_LOAD", "1")


def main(path: str, topology: str) -> None:
    """Prints seconds of the processor, all threads together, MiB by kind and GFLOP."""
    import numpy as np
    from jax._src import compiler
    from jax._src.interpreters import mlir
    from jax._src.lib import xla_client
    from jax._src.lib.mlir import ir
    from jax.experimental import topologies
    from jax.extend.mlir import hlo_to_stablehlo

    device = topologies.get_topology_desc(topology, "tpu").devices[0]
    options = compiler.get_compile_options(1, 1, device_assignment=np.array([[device.id]]))
    with mlir.make_ir_context() as context:
        context.allow_unregistered_dialects = True
        module = ir.Module.parse(hlo_to_stablehlo(pathlib.Path(path).read_bytes()))
        _drop_copies(module.operation)
        start = time.process_time()
        executable = device.client.compile(
            module,
            executable_devices=xla_client.DeviceList((device,)),
            compile_options=options,
        )
        seconds = time.process_time() - start
    memory, cost = executable.get_compiled_memory_stats(), executable.cost_analysis()
    cost = cost[0] if isinstance(cost, list) else cost
    found = {
        "compiled": seconds,
        "arguments": memory.argument_size_in_bytes / 2**20,
        # What an update writes takes the place of what it has read.
        "results": memory.output_size_in_bytes / 2**20,
        "temporaries": memory.temp_size_in_bytes / 2**20,
        "code": memory.generated_code_size_in_bytes / 2**20,
        "gigaflop": cost.get("flops", 0.0) / 1e9,
    }
    print(json.dumps(found))


def _drop_copies(operation: Any) -> None:
    """Takes out `mhlo.copy`, which StableHLO does not have and which changes no value."""
    for region in operation.regions:
        for block in region.blocks:
            for inner in list(block.operations):
                _drop_copies(inner.operation)
                if inner.operation.name == "mhlo.copy":
                    inner.operation.results[0].replace_all_uses_with(inner.operation.operands[0])
                    inner.operation.erase()


if __name__ == "__main__":
    main(*sys.argv[1:])
