"""Starts a run that saves without pause, kills it at a random moment, and again from what is left.

Usage: python -m tests.pipelines.logdir.killed_saver LOGDIR SEED
Prints, for each round, the last step whose save returned and the step of the newest whole unit.
Each run is forked before TensorFlow starts any thread: its import is paid for once.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TextIO

import numpy as np
import tensorflow as tf

from pipelines.logdir.checkpointing import CheckpointManager, find_latest
from pipelines.replay.server import Replay
from tests.pipelines import episodes

ROUNDS = 6


def save_without_pause(logdir: str, out: TextIO) -> None:
    manager = CheckpointManager(logdir)
    unit = manager.latest()
    step = unit.step if unit else 0
    replay = Replay(
        [episodes.table(sampler="fifo", max_times_sampled=1)],
        f"{logdir}/replay",
        restore_from=unit.replay if unit else None,
    )
    assert replay.size(episodes.TABLE) == step
    weights = tf.Variable(np.zeros(100_000, np.float32))
    if unit:
        unit.restore({"weights": weights})
        assert (weights.numpy() == step).all()
        assert unit.state["step"] == step
    buffer = episodes.buffer(replay.client)
    print("ready", file=out, flush=True)
    while True:
        step += 1
        episodes.add_episode(buffer, actions=4, value=step % 250)
        weights.assign_add(tf.ones_like(weights))
        manager.save(step, {"weights": weights}, {"step": step, "rng": np.full(3, step)}, replay)
        print(step, file=out, flush=True)


def main(logdir: str, seed: int) -> None:
    random = np.random.RandomState(seed)
    returned, seconds = 0, 0.0
    for _ in range(ROUNDS):
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read)
            save_without_pause(logdir, os.fdopen(write, "w"))
        os.close(write)
        with os.fdopen(read) as lines:
            assert lines.readline() == "ready\n", "a run starts from what the kill before left"
            # As many saves as chance wants, and a part of another, of the length they have here.
            for _ in range(random.randint(0, 4) if seconds else 4):
                start = time.monotonic()
                returned = int(lines.readline())
                seconds = time.monotonic() - start
            time.sleep(random.uniform() * seconds)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            returned = int([returned, *lines.read().split()][-1])
        newest = find_latest(logdir)
        print(returned, newest.step if newest else 0)
        returned = newest.step if newest else 0


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
