"""Protects what `bench.py export` measures: each form of a SavedModel, of one size of search."""

from __future__ import annotations

from pipelines.benchmarks import export
from pipelines.benchmarks.measured import Settings


def test_all_forms_of_muzeros_policy_take_turns():
    bindings = ["MuZeroConfig.num_simulations = 2"]
    settings = Settings("muzero_cartpole_small", "planet", "auto", None, 2, 1, bindings)
    native, plain, xla = export.run(settings)
    assert [each["form"] for each in (native, plain, xla)] == ["native", "plain", "xla"]
    assert {each["num_simulations"] for each in (native, plain, xla)} == {2}
    assert native["cpu_over_native"] == 1.0 < plain["cpu_over_native"]
    assert xla["first_seconds"] > plain["milliseconds"] / 1e3, "it was compiled"


def test_what_plain_tensorflow_cannot_hold_is_native_alone():
    bindings = ["AlphaZeroConfig.evaluation_simulations = 2"]
    found = export.run(Settings("alphazero_go5_small", "planet", "auto", None, 2, 1, bindings))
    assert [each["form"] for each in found] == ["native"]
