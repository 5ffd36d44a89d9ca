"""A small policy that is saved, and a server of it in this process, for tests of the server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import pathlib
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from agents.policy import Policy
from ops import draws
from pipelines.server.arrays import Limits
from pipelines.server.metrics import Metrics
from pipelines.server.models import Model
from pipelines.server.process import Listening, Server
from pipelines.server.service import Service
from pipelines.serving.export import Exporter

ROOM = 9
LIMITS = Limits()


class Counting(Policy):
    """Has what a search has: a state, a seed that matters, an option and its bound."""

    takes_seeds = True
    action_spec = tf.TensorSpec([], tf.int32)

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__(name="counting")
        self.observation_spec = {
            "board": tf.TensorSpec([3], tf.float32),
            "legal_actions": tf.TensorSpec([4], tf.bool),
        }
        self.options = {"num_simulations": 5}
        self.most = {"num_simulations": ROOM}
        self.meanings = {"state_moves": "moves so far"}
        self.weight = tf.Variable(weight)
        rng = tf.random.Generator.from_seed(1)
        self.matrix = tf.Variable(rng.normal([3, 4]))

    def initial_state(self, batch_size):
        return {"moves": tf.zeros([batch_size], tf.int32)}

    @tf.function(autograph=False, reduce_retracing=True)
    def step(self, observation, state, seed, num_simulations=5):
        logits = tf.matmul(self.weight * observation["board"], self.matrix)
        logits = tf.where(observation["legal_actions"], logits, -1e9)
        drawn = draws.uniform(tf.shape(state["moves"]), seed)
        action = draws.categorical(logits, seed)
        value = drawn + tf.cast(num_simulations, tf.float32) * tf.reduce_max(logits, axis=1)
        return action, {"moves": state["moves"] + 1}, {"value": value, "logits": logits}


class Serving:
    """A server in a thread of its own.

    Attributes:
      service, server: of it.
    """

    def __init__(self, directory: pathlib.Path, limits: Limits = LIMITS, **options: Any) -> None:
        self.episodes = options.pop("episodes", (5, 600.0))
        self._listening = Listening(port=0, grpc_port=0, **options)
        metrics = Metrics()
        self.model = Model(
            "small",
            directory,
            limits,
            on_batch=metrics.on_batch("small"),
            on_version=metrics.on_version("small"),
        )
        self.model.load()
        self.service = Service([self.model], limits, metrics, self.episodes)
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self.server = self.run(self._start())

    async def _start(self) -> Server:
        server = Server(self.service, self._listening)
        await server.start()
        return server

    def run(self, coroutine: Any) -> Any:
        """Runs it in the server's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)

    def ask(
        self, path: str, body: Any = None, method: str | None = None, **headers: str
    ) -> tuple[int, Any]:
        """Status and body of a request; the body as it is where it is no JSON."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.server.port}{path}"
        request = urllib.request.Request(url, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                status, text = response.status, response.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        try:
            return status, json.loads(text)
        except ValueError:
            return status, text.decode()

    def close(self) -> None:
        """Stops it."""
        self.run(self.server.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()


@contextlib.contextmanager
def serving(directory: pathlib.Path, limits: Limits = LIMITS, **options: Any) -> Iterator[Serving]:
    """A server of a SavedModel."""
    server = Serving(directory, limits, **options)
    try:
        yield server
    finally:
        server.close()


def save(directory: pathlib.Path, weight: float = 1.0) -> Exporter:
    """Saves the policy; a log directory has it in `policy/best`."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    policy = Counting(weight)
    exporter = Exporter(policy)
    exporter.save(directory)
    exporter.policy = policy
    return exporter


def wait(condition: Callable[[], Any], seconds: float = 30.0) -> None:
    """Waits until it holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.02)
