"""`bench.py export`: a step of the SavedModels of an agent's policy, for --batch environments.

`plain` is what every TensorFlow loads, `xla` the same with `Experiment.export_compiled`, `native`
has `Experiment.export_native`. All hold the same variables; they take turns.
"""

from __future__ import annotations

import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator

import tensorflow as tf

from ops import loader
from pipelines.benchmarks import measured
from pipelines.benchmarks.act import observed
from pipelines.benchmarks.measured import Result, Settings
from pipelines.serving.export import Exporter
from pipelines.system.errors import UserError

# Form of a SavedModel: arguments of `Exporter`.
_FORMS = {"native": {"native": True}, "plain": {}, "xla": {"compiled": True}}


def run(settings: Settings) -> Iterator[Result]:
    """Each form; of policies that plain TensorFlow cannot hold the native one alone."""
    who = measured.subject(settings.agent, settings.bindings, settings.batch)
    served = who.builder.make_served(who.parts.networks(who.spec), who.spec)
    if served is None:
        raise UserError(f"the policy of {who.builder.name} cannot be saved")
    observation = observed(served, who.environment.reset())
    state, seed = served.initial_state(settings.batch), tf.constant([0, 0])
    loader.load_all()
    forms = ["native"] if served.native_alone else list(_FORMS)
    steps, first = [], []
    for form in forms:
        saved = _loaded(Exporter(served, **_FORMS[form]))
        steps.append(lambda saved=saved: saved.step(observation, state, seed)[0].numpy())
        first.append(_seconds(steps[-1])[0])
    turns = [[_seconds(step) for step in steps] for _ in range(settings.repeats)]
    for i, (form, began) in enumerate(zip(forms, first, strict=True)):
        wall, cpu = zip(*(turn[i] for turn in turns), strict=True)
        yield {
            "benchmark": "export",
            "agent": who.builder.name,
            "form": form,
            "batch": settings.batch,
            **served.options,
            "first_seconds": began,
            **measured.spread("milliseconds", [1e3 * s for s in wall]),
            "cpu_milliseconds": 1e3 * statistics.median(cpu),
            "cpu_over_native": statistics.median(turn[i][1] / turn[0][1] for turn in turns),
        }


def _loaded(exporter: Exporter) -> tf.Module:
    with tempfile.TemporaryDirectory() as folder:
        exporter.save(pathlib.Path(folder) / "policy")
        return tf.saved_model.load(str(pathlib.Path(folder) / "policy"))


def _seconds(call: Callable[[], object]) -> tuple[float, float]:
    """On the clock, and of the processor."""
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - cpu
