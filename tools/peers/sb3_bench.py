"""Stable-Baselines3's agents on CartPole at the sizes of our small files, to be held against ours.

    pip install stable-baselines3        in an environment of its own
    OMP_NUM_THREADS=1 python tools/peers/sb3_bench.py [ppo] [a2c] [dqn]

Prints the processor's milliseconds, medians: of an update (PPO's is all of its epochs on 16 times
64 steps, A2C's one step on 8 times 5, DQN's one batch of 64), and of a decision for B environments;
and the steps that a second of the processor collects: decisions, environments and memory.
Ours: `bench.py xla --agent=ppo_cartpole_small --batch=B`, and `actor_steps` of `bench.py capacity
--agent=ppo_cartpole_small --batch=16`, with TF_NUM_INTRAOP_THREADS=1 and TF_NUM_INTEROP_THREADS=1.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.callbacks import CallbackList
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.logger import configure
from stable_baselines3.common.type_aliases import TrainFreq, TrainFrequencyUnit

_BATCHES = (1, 8, 64)
_NETWORK = {"net_arch": [64, 64]}
# Class, environments and settings of each.
_AGENTS = {
    "ppo": (PPO, 16, {"n_steps": 64, "n_epochs": 10, "batch_size": 256}),
    "a2c": (A2C, 8, {"n_steps": 5, "use_rms_prop": False}),
    "dqn": (DQN, 4, {"batch_size": 64, "buffer_size": 50_000, "learning_starts": 1000}),
}


def milliseconds(call: Callable[[], object], repeats: int) -> float:
    """Of the processor, a median, behind three calls that warm up."""
    seconds = []
    for _ in range(repeats + 3):
        start = time.process_time()
        call()
        seconds.append(time.process_time() - start)
    return 1e3 * statistics.median(seconds[3:])


def collects(model: PPO | A2C | DQN) -> Callable[[], object]:
    """What collects as many steps of each environment as an update needs."""
    callback = CallbackList([])
    callback.init_callback(model)
    if isinstance(model, DQN):
        frequency = TrainFreq(64, TrainFrequencyUnit.STEP)
        return lambda: model.collect_rollouts(model.env, callback, frequency, model.replay_buffer)
    buffer = model.rollout_buffer
    return lambda: model.collect_rollouts(model.env, callback, buffer, model.n_steps)


def main(names: list[str]) -> None:
    """Prints a line an agent."""
    torch.set_num_threads(1)
    for name in names or _AGENTS:
        agent, count, settings = _AGENTS[name]
        envs = make_vec_env("CartPole-v1", count)
        model = agent("MlpPolicy", envs, policy_kwargs=_NETWORK, device="cpu", **settings)
        model.learn(4096)  # So that there is something to learn from.
        model.set_logger(configure(None, []))
        update = (lambda model=model: model.train(1, 64)) if name == "dqn" else model.train
        print(name, f"update_ms {milliseconds(update, 20 if name == 'ppo' else 200):.4g}", end=" ")
        for batch in _BATCHES:
            seen = np.random.RandomState(0).randn(batch, 4).astype(np.float32)
            took = milliseconds(lambda model=model, seen=seen: model.predict(seen), 300)
            print(f"act_{batch}_ms {took:.3g}", end=" ", flush=True)
        steps = count * (64 if name == "dqn" else settings["n_steps"])
        seconds = 1e-3 * milliseconds(collects(model), 30)
        print(f"collected_{count}_per_s {steps / seconds:.0f}")


if __name__ == "__main__":
    main(sys.argv[1:])
