"""Protects run.py as its user meets it: what it prints, its exit status, its answer to signals."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import pathlib
import re
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from pipelines.logdir.checkpointing import find_latest
from tests.pipelines.program_server import ROOT, ProgramServer

TINY = f"--gin_file={pathlib.Path(__file__).parent / 'tiny_planet.gin'}"
ENDLESS = "--gin_bindings=Experiment.num_episodes = 1000"
SAVING = "saving... (a second Ctrl-C ends at once, without)\n"
NO_VIDEOS = "--gin_bindings=Experiment.evaluation_videos = 0"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = ProgramServer(tmp_path_factory.mktemp("printed"))
    yield server
    server.close()


@pytest.fixture(scope="module")
def finished(server, tmp_path_factory) -> pathlib.Path:
    """The log directory of a run that has ended by itself."""
    logdir = tmp_path_factory.mktemp("runs") / "finished"
    run = server.run(TINY, f"--logdir={logdir}", NO_VIDEOS)
    assert (run.status, run.stderr) == (0, ""), "a normal run has nothing to complain of"
    first, *_, evaluation, last = run.stdout.splitlines()
    assert first == last == f"log directory: {logdir}"
    assert re.fullmatch(r"evaluation: \d+\.\d over 2 episodes", evaluation)
    return logdir


def rows(logdir: pathlib.Path) -> list[tuple[str, str, str]]:
    with open(logdir / "metrics.csv", newline="") as file:
        return [(r["step"], r["updates"], r["evaluation/return"]) for r in csv.DictReader(file)]


def test_help_is_quick_and_describes_every_flag():
    command = [sys.executable, "pipelines/run.py", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "pipelines/run.py" in done.stdout
    for flag in ("--gin_file:", "--gin_bindings:", "--logdir:", "--seed:"):
        assert flag in done.stdout
    imported = subprocess.run(
        [sys.executable, "-X", "importtime", *command[1:]], cwd=ROOT, capture_output=True, text=True
    )
    assert "tensorflow" not in imported.stderr


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([TINY, "--seed=x"], "--seed is 'x'; expected an integer in the range [0, 4294967295]"),
        ([TINY, "--seed=-1"], "--seed is '-1'; expected an integer in the range [0, 4294967295]"),
        (
            [TINY, "--seed=4294967296"],
            "--seed is '4294967296'; expected an integer in the range [0, 4294967295]",
        ),
        ([TINY, "--sed=1"], "unknown flag '--sed'; did you mean '--seed'?"),
        ([TINY, "extra"], "unexpected argument 'extra'; expected flags only, see --help"),
        ([], "--gin_file is missing; expected a file such as gin/planet_small.gin"),
        (
            ["--gin_file=gin/planet_smal.gin"],
            "gin file 'gin/planet_smal.gin' does not exist; did you mean 'gin/planet_small.gin'?",
        ),
        (
            [TINY, "--gin_bindings=PlaNetConfig.batchsize = 3"],
            "--gin_bindings, line 1: PlaNetConfig has no parameter 'batchsize'"
            "; did you mean 'batch_size'?",
        ),
        (
            [TINY, "--gin_bindings=PlaNetConfig.planning_horizon = -1"],
            "PlaNetConfig.planning_horizon = -1; expected at least 1",
        ),
        (
            [TINY, "--gin_bindings=control_suite.task = 'cartpole_balanc'"],
            "control_suite.task is 'cartpole_balanc', expected a domain_task of the DeepMind "
            "control suite; did you mean 'cartpole_balance'?",
        ),
        (
            [TINY, "--gin_bindings=control_suite.image_size = 32"],
            "PlaNetConfig.decoder_kernels = [16] make images of side 16; expected 32",
        ),
        (
            [TINY, "--gin_bindings=Experiment.environment = @classic_control"],
            "PlaNet learns from square images, got observations of shape (4,); expected [size, "
            "size, channels] (control_suite.observation = 'pixels')",
        ),
        (
            [TINY, "--gin_bindings=Experiment.replay_address = 'localhost'"],
            "replay address is 'localhost'; expected host:port, as in localhost:8000",
        ),
        (
            [TINY, "--num_actors=2"],
            "--num_actors is '2', but --launcher is 'local'; expected 'ray'",
        ),
        (
            [TINY, "--launcher=rays"],
            "--launcher is 'rays'; expected one of local, ray",
        ),
        (
            [TINY, "--launcher=ray", "--gin_bindings=Distributed.actor_resources = {'CPU': -1}"],
            "Distributed.actor_resources = {'CPU': -1}; expected amounts by name, as in {'CPU': 1}",
        ),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(server, tmp_path, arguments, line):
    run = server.run(*arguments, f"--logdir={tmp_path}/runs/log")
    assert (run.status, run.stdout, run.stderr) == (2, "", f"error: {line}\n")
    assert os.listdir(tmp_path) == []


def test_a_port_in_use_is_one_line(server, tmp_path):
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = taken.getsockname()[1]
        binding = f"--gin_bindings=Experiment.replay_port = {port}"
        run = server.run(TINY, binding, f"--logdir={tmp_path}/log")
    expected = f"error: replay port {port} is in use; choose another, or none\n"
    assert (run.status, run.stderr) == (2, expected)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("argument", "name", "found", "mine"),
    [
        ("--seed=5", "seed", "0", "5"),
        (
            "--gin_bindings=control_suite.task = 'cartpole_swingup'",
            "environment",
            "'dm_control/cartpole_balance'",
            "'dm_control/cartpole_swingup'",
        ),
    ],
)
def test_another_runs_directory_is_refused(server, finished, argument, name, found, mine):
    run = server.run(TINY, argument, f"--logdir={finished}")
    assert (run.status, run.stderr) == (
        2,
        f"error: log directory {finished} belongs to a run with {name} {found}, not {mine}"
        "; choose another --logdir\n",
    )


def test_nobody_at_the_replays_address_is_one_line(server, tmp_path):
    bindings = [
        "--gin_bindings=Experiment.replay_address = 'localhost:1'",
        "--gin_bindings=Experiment.replay_timeout = 1.0",
    ]
    run = server.run(TINY, *bindings, f"--logdir={tmp_path}/log")
    assert (run.status, run.stderr) == (
        2,
        "error: no replay server answers at localhost:1; expected one with the table 'sequences'\n",
    )
    assert os.listdir(tmp_path) == []


def test_a_log_directory_that_is_a_file_is_one_line(server, tmp_path):
    (tmp_path / "file").write_text("")
    run = server.run(TINY, f"--logdir={tmp_path}/file")
    expected = f"error: cannot write {tmp_path}/file: Not a directory\n"
    assert (run.status, run.stderr) == (2, expected)


def test_a_finished_run_leaves_all_of_its_files_and_says_so_when_started_again(server, finished):
    names = {path.name for path in finished.iterdir() if "tfevents" not in path.name}
    assert names == {
        *("config.gin", "metrics.csv", "summary.json", "checkpoints", "replay", "policy", ".lock")
    }
    summary = json.loads((finished / "summary.json").read_text())
    assert (summary["episodes"], summary["steps"], summary["updates"]) == (4, 80, 9)
    assert summary["evaluation"]["episodes"] == 2
    before = rows(finished)
    run = server.run(TINY, f"--logdir={finished}", NO_VIDEOS)
    assert (run.status, run.stderr) == (0, "")
    _, said, _, last = run.stdout.splitlines()
    assert said == "finished already; a larger Experiment.num_episodes goes on from here"
    assert last == f"log directory: {finished}"
    assert rows(finished) == before


def test_a_corrupted_checkpoint_is_named_and_the_one_before_taken(server, finished, tmp_path):
    logdir = shutil.copytree(finished, tmp_path / "log")
    _, newest = sorted((logdir / "checkpoints").iterdir())
    (newest / "state.json").write_text("{")
    run = server.run(TINY, f"--logdir={logdir}", NO_VIDEOS)
    assert run.status == 0
    assert run.stderr == (
        f"warning: checkpoint {newest} is corrupted: state.json does not match its checksum\n"
    )
    assert rows(logdir) == rows(finished)

    for unit in (logdir / "checkpoints").iterdir():
        (unit / "manifest.json").write_text("")
    run = server.run(TINY, f"--logdir={logdir}")
    *warnings, error = run.stderr.splitlines()
    assert (run.status, len(warnings)) == (2, 2)
    assert error == (
        f"error: every checkpoint in {logdir}/checkpoints is corrupted; remove that folder to "
        "start anew, or choose another --logdir"
    )


def test_a_stop_at_any_moment_saves_and_the_line_it_prints_resumes(server, finished, tmp_path):
    random = np.random.RandomState(seed := int.from_bytes(os.urandom(4), "little"))
    print(f"seed {seed}")
    arguments = [TINY, f"--logdir={tmp_path}/log", NO_VIDEOS]
    for number in (signal.SIGTERM, signal.SIGINT):
        run = server.start(*arguments)
        run.wait_for("log directory")
        time.sleep(random.uniform(0.0, 6.0))
        ended = run.poll() is not None  # Where a machine is fast.
        run.send_signal(number)
        run.send_signal(number)  # As `timeout` does: to the program, and to all of its group.
        assert (run.wait(), run.stderr) == (0, "" if ended else SAVING)
        if "stopped and saved" in run.stdout:
            line = next(line for line in run.stdout.splitlines() if line.startswith("stopped"))
            interpreter, _, *rest = shlex.split(line.split("resume with: ")[1])
            assert (ROOT / interpreter, rest) == (pathlib.Path(sys.executable), arguments)
        assert find_latest(tmp_path / "log") is not None
        assert (tmp_path / "log" / "policy" / "last" / "saved_model.pb").exists()
    assert server.run(*arguments).status == 0
    assert rows(tmp_path / "log") == rows(finished), "as if it had never stopped"


def test_a_stop_during_start_up_ends_at_once(server, tmp_path):
    run = server.start(TINY, f"--logdir={tmp_path}/log")
    run.send_signal(signal.SIGINT)
    assert run.wait() in (0, -signal.SIGINT)
    assert "Traceback" not in run.stderr
    assert "log directory:" not in run.stdout
    assert os.listdir(tmp_path) == []


def test_a_stop_before_training_takes_back_the_log_directory(server, tmp_path):
    """Between the claim and the first update: here the run waits for a replay that says nothing."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        bindings = [
            f"--gin_bindings=Experiment.replay_address = '{address}'",
            "--gin_bindings=Experiment.replay_timeout = 30.0",
        ]
        run = server.start(TINY, *bindings, f"--logdir={tmp_path}/runs/log")
        while not (tmp_path / "runs" / "log" / "checkpoints").exists():
            assert run.poll() is None, run.stderr
            time.sleep(0.02)
        run.send_signal(signal.SIGINT)
        assert (run.wait(), run.stderr) == (0, "")
    assert run.stdout.startswith("stopped before training; nothing to save; start with: ")
    assert os.listdir(tmp_path) == []


def test_a_second_stop_does_not_wait(server, tmp_path):
    run = server.start(TINY, ENDLESS, f"--logdir={tmp_path}/log")
    run.wait_for("episodes 1/")
    os.kill(run.pid, signal.SIGSTOP)  # So that both signals come before it can answer.
    os.kill(run.pid, signal.SIGTERM)
    os.kill(run.pid, signal.SIGCONT)
    while run.poll() is None:
        run.send_signal(signal.SIGINT)
        time.sleep(0.01)
    assert run.status in (-signal.SIGINT, -signal.SIGTERM)  # Whichever it saw second.
    assert "Traceback" not in run.stderr


@contextlib.contextmanager
def a_pipe(tmp_path):
    """A pipe's name, and a reader of what is written to it."""
    os.mkfifo(tmp_path / "pipe")
    with open(os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK), "rb", 0) as reader:
        yield str(tmp_path / "pipe"), reader


def read_until(reader, text: bytes) -> None:
    shown = b""
    while text not in shown:
        select.select([reader], [], [])
        shown += os.read(reader if isinstance(reader, int) else reader.fileno(), 1 << 16)


def test_a_reader_that_ends_early_changes_nothing(server, finished, tmp_path):
    with a_pipe(tmp_path) as (name, reader):
        run = server.start(TINY, f"--logdir={tmp_path}/log", NO_VIDEOS, stdout=name)
        read_until(reader, b"log directory")
    assert (run.wait(), run.stderr) == (0, "")
    assert rows(tmp_path / "log") == rows(finished)


def test_a_stop_saves_when_what_read_the_output_has_stopped_too(server, tmp_path):
    with a_pipe(tmp_path) as (name, reader):
        run = server.start(TINY, ENDLESS, f"--logdir={tmp_path}/log", NO_VIDEOS, stdout=name)
        read_until(reader, b"episodes 1/")
    run.send_signal(signal.SIGINT)
    assert (run.wait(), run.stderr) == (0, SAVING)
    assert find_latest(tmp_path / "log") is not None


def test_a_terminal_that_is_closed_is_a_stop(server, tmp_path):
    master, slave = os.openpty()
    run = server.start(
        TINY, ENDLESS, f"--logdir={tmp_path}/log", NO_VIDEOS, terminal=os.ttyname(slave)
    )
    read_until(master, b"episodes 1/")
    os.close(slave)
    os.kill(run.pid, signal.SIGSTOP)  # So that the next signal comes before it can answer.
    os.close(master)
    os.kill(run.pid, signal.SIGHUP)  # As shells do, when the kernel has.
    os.kill(run.pid, signal.SIGCONT)
    while run.poll() is None:
        run.send_signal(signal.SIGHUP)
        time.sleep(0.05)
    assert run.status == 0
    assert find_latest(tmp_path / "log") is not None


def test_a_terminal_that_is_closed_is_nothing_to_a_run_that_shall_outlive_it(
    server, finished, tmp_path
):
    master, slave = os.openpty()
    arguments = (TINY, f"--logdir={tmp_path}/log", NO_VIDEOS)
    run = server.start(*arguments, terminal=os.ttyname(slave), nohup=True)
    read_until(master, b"log directory")
    os.close(slave)
    os.close(master)
    assert run.wait() == 0
    assert rows(tmp_path / "log") == rows(finished)


def test_killed_it_goes_on_from_its_last_checkpoint(server, finished, tmp_path):
    random = np.random.RandomState(seed := int.from_bytes(os.urandom(4), "little"))
    print(f"seed {seed}")
    arguments = [TINY, f"--logdir={tmp_path}/log", NO_VIDEOS]
    run = server.start(*arguments)
    run.wait_for("episodes 1/")
    time.sleep(random.uniform(0.0, 6.0))
    run.send_signal(signal.SIGKILL)
    run.wait()
    unit = find_latest(tmp_path / "log")
    run = server.run(*arguments)
    assert (run.status, run.stderr) == (0, "")
    if unit is not None and unit.state["run"]["episodes"] < 4:
        line = next(line for line in run.stdout.splitlines() if line.startswith("episodes"))
        assert int(re.search(r"updates (\d+)", line)[1]) >= unit.state["run"]["updates"]
    assert rows(tmp_path / "log") == rows(finished), "no row lost, none twice"


def test_two_runs_in_one_directory_are_refused(server, tmp_path):
    arguments = [TINY, ENDLESS, f"--logdir={tmp_path}/log"]
    first = server.start(*arguments)
    first.wait_for("log directory")
    second = server.run(*arguments)
    assert (second.status, second.stderr) == (
        2,
        f"error: log directory {tmp_path}/log is in use by process {first.pid}; wait for it or "
        "choose another --logdir\n",
    )
    first.send_signal(signal.SIGKILL)
    first.wait()


def test_a_disk_that_fills_in_mid_run_is_one_line(server, tmp_path):
    run = server.run(TINY, ENDLESS, f"--logdir={tmp_path}/log", file_bytes=20_000)
    assert run.status == 2
    (line,) = run.stderr.splitlines()
    assert re.match(rf"error: cannot write .*{tmp_path}/log/.*: File too large", line)
    assert find_latest(tmp_path / "log") is None, "what did not fit was never a checkpoint"


def test_a_replay_server_that_dies_in_mid_run_is_one_line(server, tmp_path):
    with server.replay(TINY) as (replay, address):
        bindings = [
            f"--gin_bindings=Experiment.replay_address = '{address}'",
            "--gin_bindings=Experiment.replay_timeout = 2.0",
        ]
        run = server.start(TINY, ENDLESS, *bindings, f"--logdir={tmp_path}/log")
        run.wait_for("updates 3")
        replay.send_signal(signal.SIGKILL)
        assert run.wait() == 2
    assert run.stderr == f"error: replay server at {address} is gone\n"
