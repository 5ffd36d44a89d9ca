#!/usr/bin/env python
"""What a TPU's compiler says of every agent's programs, without a TPU.

python tools/tpu_check.py [--agents=planet_small,muzero_cartpole_small] [--paper] [--batch=N]
    [--programs=update,act] [--gin_bindings=...]
    [--tpu_python=PYTHON] [--topology=v5e:2x2] [--minutes=N]

Each program (an update; a decision for --batch environments; Reanalyze's search) is lowered to HLO,
which refuses ops that no TPU has. With --tpu_python, an interpreter of another environment that has
`jax[tpu]` and `libtpu` (README, "On a Cloud TPU"), it is compiled for one chip of the topology too:
no hardware is needed. A line of a table each, seconds those of the processor; status 1 if anything
is refused. What of a batch falls to one chip of several is a binding, as in
--agents=muzero_atari --gin_bindings="MuZeroConfig.batch_size = 256".
"""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import tempfile
from typing import Any

from absl import flags

from pipelines.system import command_line
from pipelines.system.errors import UserError

_FLAGS = flags.FlagValues()
_AGENTS = flags.DEFINE_list("agents", None, "gin/<agent>.gin of each.", flag_values=_FLAGS)
_PAPER = flags.DEFINE_bool("paper", False, "Files of paper scale by default.", flag_values=_FLAGS)
_PROGRAMS = flags.DEFINE_list(
    "programs", None, "Of the agents, by name; all by default.", flag_values=_FLAGS
)
_BINDINGS = flags.DEFINE_multi_string("gin_bindings", [], "Over the files.", flag_values=_FLAGS)
_BATCH = flags.DEFINE_integer("batch", 1, "Environments of a decision.", flag_values=_FLAGS)
_TPU_PYTHON = flags.DEFINE_string("tpu_python", None, "Compiles too, by it.", flag_values=_FLAGS)
_TOPOLOGY = flags.DEFINE_string("topology", "v5e:2x2", "It is compiled for.", flag_values=_FLAGS)
_MINUTES = flags.DEFINE_float("minutes", 30.0, "A compilation may take.", flag_values=_FLAGS)

_COLUMNS = (
    ("agent", "agent", "{}"),
    ("program", "program", "{}"),
    ("traced", "traced, s", "{:.1f}"),
    ("lowered", "lowered, s", "{:.1f}"),
    ("hlo_mb", "HLO, MB", "{:.2f}"),
    ("compiled", "compiled, s", "{:.0f}"),
    ("arguments", "arguments, MiB", "{:.1f}"),
    ("results", "results, MiB", "{:.1f}"),
    ("temporaries", "temporaries, MiB", "{:.1f}"),
    ("code", "code, MiB", "{:.1f}"),
    ("gigaflop", "GFLOP", "{:.2f}"),
    ("note", "", "{}"),
)


def main(argv: list[str]) -> int:
    """Prints the table; returns the exit status, see `command_line`."""
    refused: list[str] = []
    status = command_line.run_program(argv, _FLAGS, __doc__, lambda: refused.extend(_check()))
    return status or int(bool(refused))


def _check() -> list[str]:
    """Prints the table; returns the programs that something refused."""
    from pipelines.benchmarks import lower, measured  # TensorFlow's import takes seconds.

    _print(title for _, title, _ in _COLUMNS)
    _print("---" for _ in _COLUMNS)
    refused, known, wanted = [], set(), set(_PROGRAMS.value or ())
    for agent in _AGENTS.value or (lower.PAPER if _PAPER.value else lower.SMALL):
        who = measured.subject(agent, _BINDINGS.value, _BATCH.value)
        for program in lower.programs(who, _BATCH.value):
            known.add(program.name)
            if wanted and program.name not in wanted:
                continue
            found, hlo = lower.figures(program)
            if hlo is not None and _TPU_PYTHON.value:
                found |= _compiled(hlo)
            found["note"] = found.get("refused") or found.get("host") or ""
            if "refused" in found:
                refused.append(f"{agent} {program.name}")
            _print(_cells({"agent": agent, **found}))
    if wanted - known:
        raise UserError(f"--programs has '{min(wanted - known)}'; expected of {sorted(known)}")
    return refused


def _compiled(hlo: bytes) -> dict[str, Any]:
    script = pathlib.Path(__file__).with_name("tpu_compile.py")
    with tempfile.NamedTemporaryFile(suffix=".hlo") as file:
        file.write(hlo)
        file.flush()
        command = [_TPU_PYTHON.value, str(script), file.name, _TOPOLOGY.value]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=60 * _MINUTES.value
            )
        except subprocess.TimeoutExpired:
            return {"refused": f"not compiled in {_MINUTES.value:g} minutes"}
        except OSError as error:
            raise UserError(f"--tpu_python '{_TPU_PYTHON.value}' does not start: {error}") from None
    if done.returncode != 0:
        return {"refused": (done.stderr.strip().splitlines() or ["no reason given"])[-1]}
    return json.loads(done.stdout.splitlines()[-1])


def _cells(found: dict[str, Any]) -> list[str]:
    return [form.format(found[key]) if key in found else "" for key, _, form in _COLUMNS]


def _print(cells: Any) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
