"""Protects the benchmarks of planners: each says what it has done, per second."""

from __future__ import annotations

import json
import pathlib

import pytest

from ops import loader
from pipelines import bench

ROOT = pathlib.Path(__file__).resolve().parents[3]
TINY = (
    "PETSConfig.planning_horizon = 2",
    "PETSConfig.planning_candidates = 10",
    "SimulatorCEMConfig.planning_horizon = 2",
    "SimulatorCEMConfig.planning_candidates = 10",
    "SimulatorCEMConfig.planning_elites = 2",
    "SimulatorCEMConfig.threads = 1",
    "MuZeroConfig.num_simulations = 2",
    "MuZeroConfig.batch_size = 4",
    "MuZeroConfig.unroll_steps = 1",
    "MuZeroConfig.replay_sampler = 'prioritized'",
    "SimPLeConfig.channels = 4",
    "SimPLeConfig.unroll_steps = 1",
)
CONFIGS = {
    "pets": "PETSConfig",
    "simulator": "SimulatorCEMConfig",
    "muzero": "MuZeroConfig",
    "a2c": "A2CConfig",
    "dqn": "DQNConfig",
    "impala": "ImpalaConfig",
    "r2d2": "R2D2Config",
    "simple": "SimPLeConfig",
}


def measure(monkeypatch, capfd, benchmark: str, agent: str, *flags: str) -> dict:
    monkeypatch.chdir(ROOT)
    name = CONFIGS[agent.partition("_")[0]]
    bindings = [f"--gin_bindings={binding}" for binding in TINY if binding.startswith(name)]
    arguments = [f"--agent={agent}", "--repeats=1", "--json", *flags, *bindings]
    assert bench.main(["bench.py", benchmark, *arguments]) == 0
    return json.loads(capfd.readouterr().out)


def test_imagined_steps_are_counted_and_their_products(monkeypatch, capfd):
    found = measure(monkeypatch, capfd, "imagine", "simple", "--batch=3")
    assert (found["batch"], found["length"]) == (3, 10)
    rate = 30 / found["milliseconds"] * 1e3
    assert found["imagined_steps_per_second"] == pytest.approx(rate, rel=1e-2)
    assert found["gflops"] == pytest.approx(
        found["gigaflop"] / found["milliseconds"] * 1e3, rel=1e-2
    )
    assert found["convolution_gflops"] > 0


def test_an_agent_without_a_world_has_none_to_imagine_in(monkeypatch, capfd):
    monkeypatch.chdir(ROOT)
    assert bench.main(["bench.py", "imagine", "--agent=reinforce"]) == 2
    line = "error: reinforce learns no world to step in; simple does\n"
    assert capfd.readouterr().err.endswith(line)


@pytest.mark.parametrize("batch", [1, 2])
def test_pets_counts_its_models_evaluations(monkeypatch, capfd, batch: int):
    found = measure(monkeypatch, capfd, "act", "pets_small", f"--batch={batch}")
    # Iterations, candidates, horizon, particles.
    assert found["model_evaluations"] == batch * 4 * 10 * 2 * 5
    rate = found["model_evaluations"] / found["milliseconds"] * 1e3
    assert found["model_evaluations_per_second"] == pytest.approx(rate, rel=1e-2)


def test_the_simulators_planner_says_where_its_time_goes(monkeypatch, capfd):
    found = measure(monkeypatch, capfd, "act", "simulator_cem", "--batch=2")
    assert found["agent"] == "simulator_cem" and found["batch"] == 2
    assert 0 < found["planner/simulator_share"] < 1


def test_an_epoch_of_pets_is_measured_on_a_whole_table(monkeypatch, capfd):
    found = measure(monkeypatch, capfd, "learn", "pets_small")
    assert found["agent"] == "pets" and found["length"] == 2001
    assert found["batch"] is None and found["gflops"] > 0


def test_an_agent_that_sees_nests_is_measured(monkeypatch, capfd):
    found = measure(monkeypatch, capfd, "act", "muzero_tictactoe_small", "--batch=3")
    assert (found["agent"], found["batch"]) == ("muzero", 3) and found["actions_per_second"] > 0


def test_a_tree_search_says_what_share_of_the_time_is_the_trees(monkeypatch, capfd):
    found = measure(monkeypatch, capfd, "act", "muzero", "--batch=4")
    assert 0 <= found["tree_share"] < 1 and 0 <= found["move_share"] < 1
    assert found["simulations_per_second"] > found["actions_per_second"]


@pytest.mark.parametrize("benchmark", ["learn", "replay"])
def test_an_agent_with_prioritised_replay_is_measured_by_its_short_name(
    monkeypatch, capfd, benchmark
):
    found = measure(monkeypatch, capfd, benchmark, "muzero")
    assert (found["agent"], found["batch"]) == ("muzero", 4) and found["length"] > 1


@pytest.mark.parametrize(
    ("agent", "batch", "length"),
    # Of a whole queue, of a part of one, n steps, sequences with a burn-in.
    [
        ("a2c_cartpole_small", 8, 5),
        ("impala", 8, 20),
        ("dqn_cartpole_small", 64, 10),
        ("r2d2", 32, 24),
    ],
)
def test_an_update_of_every_kind_of_batch_is_measured(
    monkeypatch, capfd, agent: str, batch: int, length: int
):
    found = measure(monkeypatch, capfd, "learn", agent)
    assert (found["batch"], found["length"]) == (batch, length) and found["milliseconds"] > 0


def test_a_step_with_a_memory_is_measured(monkeypatch, capfd):
    found = measure(monkeypatch, capfd, "act", "r2d2", "--batch=3")
    assert (found["agent"], found["batch"]) == ("r2d2", 3) and found["actions_per_second"] > 0


@pytest.mark.parametrize(
    ("agent", "ratio", "written"),
    [
        ("dqn_cartpole_small", 1.0, 4 * 4 + 16),
        ("impala_cartpole_small", 1 / (8 * 20), 4 * 4 + 16),  # Rollouts an update, rows of each.
    ],
)
def test_capacity_says_what_collectors_come_to(monkeypatch, capfd, agent, ratio, written):
    monkeypatch.chdir(ROOT)
    arguments = ["capacity", f"--agent={agent}", "--repeats=1", "--batch=2", "--json"]
    assert bench.main(["bench.py", *arguments]) == 0
    lines = capfd.readouterr().out.splitlines()
    rates, *predicted = (json.loads(line) for line in lines)
    assert (rates["updates_per_step"], rates["written_bytes"]) == (ratio, written)
    assert rates["actor_steps"] > 0 and rates["updates"] > 0 and rates["actors_fed"] >= 1
    assert [line["num_actors"] for line in predicted] == [1, 10, 100]
    steps = [line["steps"] for line in predicted]
    assert steps == sorted(steps) and steps[-1] <= 100.01 * rates["actor_steps"]


def test_who_only_plans_has_no_learner_to_feed(monkeypatch, capfd):
    monkeypatch.chdir(ROOT)
    assert bench.main(["bench.py", "capacity", "--agent=simulator_cem"]) == 2
    line = "error: simulator_cem has no learner that collectors feed\n"
    assert capfd.readouterr().err.endswith(line)


def test_an_agent_of_whole_tables_has_no_batches_to_read(monkeypatch, capfd):
    monkeypatch.chdir(ROOT)
    assert bench.main(["bench.py", "replay", "--agent=pets_small"]) == 2
    line = "error: pets reads whole tables; expected one that reads batches\n"
    assert capfd.readouterr().err.endswith(line)


@pytest.mark.parametrize("name", ["cem", "mcts", "games"])
def test_the_native_backend_without_its_library_ends_in_one_line(
    monkeypatch, capfd, tmp_path, name
):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(loader, "path_of", lambda name: tmp_path / name)
    loader._load.cache_clear()
    try:
        assert bench.main(["bench.py", name, "--backend=native", "--shapes=2,3,4"]) == 2
    finally:
        loader._load.cache_clear()
    said = capfd.readouterr().err
    assert said.startswith("error: ") and said.count("\n") == 1
    assert f"the native ops of ops/{name} are not built; `make setup` builds them" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "got ''; expected one of learn, imagine, act, export, cem, replay, mcts"),
        (
            ["mct"],
            "got 'mct'; expected one of learn, imagine, act, export, cem, replay, mcts, games, "
            "serve, capacity, lower, xla; did you mean 'mcts'?",
        ),
        (["act", "learn"], "got 'act learn'; expected one of"),
        (["act", "--batch=0"], "--batch is '0'; expected a positive integer"),
        (["act", "--agent=planett"], "gin file 'gin/planett.gin' does not exist"),
    ],
)
def test_a_wrong_command_line_ends_in_one_line(monkeypatch, capfd, arguments, message):
    monkeypatch.chdir(ROOT)
    assert bench.main(["bench.py", *arguments]) == 2
    said = capfd.readouterr().err
    assert said.startswith(f"error: {message}") and said.count("\n") == 1
