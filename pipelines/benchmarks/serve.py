"""`bench.py serve`: what a server costs beside the policy, and how many clients it bears.

A server is started as its users start it; clients in this process ask over one connection each, and
ask again as soon as they have the answer. The policy that does nothing shows the server's own cost.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, NamedTuple

import grpc
import numpy as np
import tensorflow as tf

from agents.policy import Policy
from pipelines.benchmarks import measured
from pipelines.benchmarks.measured import Result, Settings
from pipelines.server import arrays, messages
from pipelines.server.loaded import ROWS, Arrays, LoadedPolicy, example
from pipelines.serving.export import Exporter
from pipelines.system.errors import UserError

_PREDICT = "/tensorflow.serving.PredictionService/Predict"
_NAME = "policy"
# Different requests that are sent in turns, and seconds that are measured after a warm-up.
_REQUESTS, _SECONDS, _WARM_UP = 64, 5.0, 1.0
_READY_S = 180.0

Ask = Callable[[int], Awaitable[bytes]]


class Nothing(Policy):
    """Acts without a thought."""

    takes_seeds = True
    observation_spec = tf.TensorSpec([4], tf.float32)
    action_spec = tf.TensorSpec([], tf.int32)

    def initial_state(self, batch_size):
        """None."""
        return {}

    @tf.function(autograph=False, reduce_retracing=True)
    def step(self, observation, state, seed):
        """Always the same."""
        return tf.zeros(tf.shape(observation)[:1], tf.int32), state, {}


class Server(NamedTuple):
    """A server that runs.

    Attributes:
      process: its own.
      port, grpc_port: that it listens on.
    """

    process: subprocess.Popen
    port: int
    grpc_port: int

    def cpu_seconds(self) -> float:
        """That it has used so far."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2]
        return sum(map(int, fields.split()[11:13])) / os.sysconf("SC_CLK_TCK")


def run(settings: Settings) -> Iterator[Result]:
    """Both protocols, each for the policy that does nothing and for the agent's."""
    yield from _measured("nothing", Exporter(Nothing(name="nothing")), settings)
    who = measured.subject(settings.agent, settings.bindings)
    exporter = who.parts.exporter(who.parts.networks(who.spec), who.spec)
    if exporter is None:
        raise UserError(f"the policy of {who.builder.name} cannot be served")
    yield from _measured(who.builder.name, exporter, settings)


def _measured(agent: str, exporter: Exporter, settings: Settings) -> Iterator[Result]:
    with tempfile.TemporaryDirectory() as folder:
        run_folder = pathlib.Path(folder) / _NAME
        run_folder.mkdir()
        (run_folder / "config.gin").touch()
        directory = run_folder / "policy" / "best"
        exporter.save(directory)
        loaded = LoadedPolicy(directory)
        inputs = example(loaded, _REQUESTS, np.random.default_rng(0))
        direct = _direct(loaded, inputs, settings)
        wanted = loaded.call(ROWS, inputs)
        with started(run_folder) as server:
            for protocol, ask_with in (("grpc", _grpc_clients), ("rest", _rest_clients)):
                found = asyncio.run(_load(ask_with, server, loaded, inputs, settings.clients))
                wrong = _count_wrong(protocol, found.pop("answers"), wanted, loaded)
                yield {
                    "benchmark": "serve",
                    "agent": agent,
                    "protocol": protocol,
                    "clients": settings.clients,
                    **found,
                    "wrong_answers": wrong,
                    **direct,
                    "share_of_direct": found["requests_per_second"] / direct["direct_per_second"],
                    "cpu_share_of_direct": direct["direct_cpu_ms"] / found["server_cpu_ms"],
                }


@contextlib.contextmanager
def started(logdir: pathlib.Path, *flags: str) -> Iterator[Server]:
    """A server of a run's policy, on free ports; ended with the context."""
    program = pathlib.Path(__file__).parents[1] / "serve.py"
    root = str(program.parents[1])
    paths = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    process = subprocess.Popen(
        [
            *(sys.executable, str(program), f"--logdir={logdir}", "--port=0", "--grpc_port=0"),
            *flags,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
    try:
        line = process.stdout.readline()
        ports = re.findall(r":(\d+)(?= |;)", line)
        if len(ports) != 2:
            raise UserError(f"the server did not start: {process.stderr.read().strip()[-300:]}")
        yield Server(process, *map(int, ports))
    finally:
        process.terminate()
        process.communicate(timeout=_READY_S)


def _direct(policy: LoadedPolicy, inputs: Arrays, settings: Settings) -> Result:
    """The policy itself, for as many rows as there are clients; `cpu` is of a row."""
    specs = policy.signatures[ROWS].inputs
    clients, repeats = min(settings.clients, _REQUESTS), max(settings.repeats, 5)
    some = {n: x[:clients] if specs[n].has_rows else x for n, x in inputs.items()}
    measured.timed(lambda: policy.call(ROWS, some), 1)
    before = time.process_time()
    seconds = measured.timed(lambda: policy.call(ROWS, some), repeats)
    cpu = (time.process_time() - before) / (repeats + 1)
    median = statistics.median(seconds)
    return {
        "direct_milliseconds": 1e3 * median,
        "direct_per_second": clients / median,
        "direct_cpu_ms": 1e3 * cpu / clients,
    }


async def _load(
    ask_with: Any, server: Server, policy: LoadedPolicy, inputs: Arrays, clients: int
) -> dict[str, Any]:
    """Clients that ask as soon as they are answered."""
    seconds: list[float] = []
    answers: dict[int, bytes] = {}

    async def client(number: int, ask: Ask, until: float, counting: bool) -> None:
        i = number
        while time.perf_counter() < until:
            began = time.perf_counter()
            answer = await ask(i % _REQUESTS)
            if counting:
                seconds.append(time.perf_counter() - began)
                answers[len(seconds) * _REQUESTS + i % _REQUESTS] = answer
            i += clients

    async with ask_with(server, policy, inputs, clients) as asks:
        for counting, length in ((False, _WARM_UP), (True, _SECONDS)):
            before, began = server.cpu_seconds(), time.perf_counter()
            await asyncio.gather(
                *(client(i, ask, began + length, counting) for i, ask in enumerate(asks))
            )
            took, cpu = time.perf_counter() - began, server.cpu_seconds() - before
    ordered = sorted(seconds)
    return {
        "requests": len(seconds),
        "requests_per_second": len(seconds) / took,
        "server_cpu_ms": 1e3 * cpu / len(seconds),
        "p50_ms": 1e3 * ordered[len(ordered) // 2],
        "p99_ms": 1e3 * ordered[int(0.99 * len(ordered))],
        "answers": answers,
    }


@contextlib.asynccontextmanager
async def _grpc_clients(server: Server, policy: LoadedPolicy, inputs: Arrays, count: int):
    specs, requests = policy.signatures[ROWS].inputs, []
    for i in range(_REQUESTS):
        request = messages.PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = _NAME, ROWS
        for name, array in inputs.items():
            one = array[i : i + 1] if specs[name].has_rows else array
            arrays.to_proto(one, specs[name], request.inputs[name])
        requests.append(request.SerializeToString())
    async with contextlib.AsyncExitStack() as stack:
        asks = []
        for _ in range(count):
            options = [("grpc.use_local_subchannel_pool", 1)]
            channel = grpc.aio.insecure_channel(f"127.0.0.1:{server.grpc_port}", options)
            call = (await stack.enter_async_context(channel)).unary_unary(_PREDICT)
            asks.append(lambda i, call=call: call(requests[i]))
        yield asks


@contextlib.asynccontextmanager
async def _rest_clients(server: Server, policy: LoadedPolicy, inputs: Arrays, count: int):
    specs, requests = policy.signatures[ROWS].inputs, []
    for i in range(_REQUESTS):
        columns = {n: x[i : i + 1] if specs[n].has_rows else x for n, x in inputs.items()}
        shown = {name: array.tolist() for name, array in columns.items()}
        body = json.dumps({"signature_name": ROWS, "inputs": shown}).encode()
        head = f"POST /v1/models/{_NAME}:predict HTTP/1.1\r\nHost: localhost\r\n"
        requests.append(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    async def ask(i, reader, writer):
        writer.write(requests[i])
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(re.search(rb"Content-Length: (\d+)", head)[1])
        return await reader.readexactly(length)

    pairs = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(count)]
    try:
        yield [lambda i, pair=pair: ask(i, *pair) for pair in pairs]
    finally:
        for _, writer in pairs:
            writer.close()


def _count_wrong(
    protocol: str, answers: dict[int, bytes], wanted: Arrays, policy: LoadedPolicy
) -> int:
    """Answers that are not, to the last bit, the row of a direct call with all of them."""
    specs, wrong = policy.signatures[ROWS].outputs, 0
    for key, data in answers.items():
        i = key % _REQUESTS
        if protocol == "grpc":
            outputs = messages.PredictResponse.FromString(data).outputs
            found = {name: arrays.of_proto(outputs[name], specs[name]) for name in specs}
        else:
            shown = json.loads(data).get("outputs")
            shown = shown if len(specs) > 1 else {next(iter(specs)): shown}
            found = {name: arrays.of_json(shown[name], specs[name]) for name in specs}
        wrong += any(found[n].tobytes() != wanted[n][i : i + 1].tobytes() for n in specs)
    return wrong
