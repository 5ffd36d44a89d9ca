"""Mixed load on a server, by hand: right, wrong, slow, cut and oversized requests, and reloads.

PYTHONPATH=. python tests/pipelines/server/soak.py [SECONDS]

A new version comes every 20 seconds, followed by a second of SIGSTOP. Each right answer must have
the bits of a version's direct call. Prints counts, memory, threads and files as it goes; ends with
an AssertionError where an answer was wrong, a wrong request was taken or the server has ended.
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import pathlib
import random
import signal
import socket
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

import grpc
import numpy as np

from pipelines.benchmarks.serve import started
from pipelines.server import arrays, messages
from pipelines.server.loaded import ROWS, LoadedPolicy, example
from tests.pipelines.server import served

REQUESTS, RELOAD_S = 16, 20.0
PREDICT = "/tensorflow.serving.PredictionService/Predict"
WRONG = (
    *(b"{", b"[]", b"\xff" * 100, b"[" * 50_000, b'{"inputs": 1e400}', b"x" * (2 << 20)),
    b'{"instances": [{"observation_board": [1, 2]}]}',
    b'{"signature_name": "../../etc", "instances": [1]}',
)
CUT = (b"GET / HT", b"POST /v1/models/small:predict HTTP/1.1\r\nContent-Length: 99\r\n\r\n{")


class Load:
    """Clients that go on until they are stopped, and what became of their requests."""

    def __init__(self, server, directory: pathlib.Path) -> None:
        self._server, self.counts, self.stopped = server, collections.Counter(), False
        policy = LoadedPolicy(directory)
        signature = policy.signatures[ROWS]
        self._specs, self._outputs = signature.inputs, signature.outputs
        self._inputs = example(policy, REQUESTS, np.random.default_rng(0))
        self.wanted = [self.direct(directory)]

    def direct(self, directory: pathlib.Path) -> list[dict[str, bytes]]:
        """The answer to each request, as a SavedModel gives it."""
        policy = LoadedPolicy(directory)
        answers = [policy.call(ROWS, self._request(i)) for i in range(REQUESTS)]
        return [{name: value.tobytes() for name, value in answer.items()} for answer in answers]

    def right_grpc(self) -> None:
        with grpc.insecure_channel(f"127.0.0.1:{self._server.grpc_port}") as channel:
            call = channel.unary_unary(PREDICT, None, messages.PredictResponse.FromString)
            while not self.stopped:
                i, request = random.randrange(REQUESTS), messages.PredictRequest()
                request.model_spec.name, request.model_spec.signature_name = "small", ROWS
                for name, array in self._request(i).items():
                    arrays.to_proto(array, self._specs[name], request.inputs[name])
                outputs = call(request.SerializeToString(), timeout=120).outputs
                read = {n: arrays.of_proto(x, self._outputs[n]) for n, x in outputs.items()}
                self._judge("grpc", i, read)

    def right_rest(self) -> None:
        while not self.stopped:
            i = random.randrange(REQUESTS)
            columns = {name: array.tolist() for name, array in self._request(i).items()}
            body = json.dumps({"signature_name": ROWS, "inputs": columns}).encode()
            outputs = json.loads(self._post(body))["outputs"]
            read = {n: arrays.of_json(x, self._outputs[n]) for n, x in outputs.items()}
            self._judge("rest", i, read)

    def wrong(self) -> None:
        while not self.stopped:
            try:
                self._post(random.choice(WRONG))
                self.counts["TAKEN"] += 1
            except urllib.error.HTTPError as error:
                self.counts[f"refused {error.code}"] += 1
            except OSError:
                self.counts["refused, cut off"] += 1
            time.sleep(0.02)

    def cut(self) -> None:
        while not self.stopped:
            port = random.choice([self._server.port, self._server.grpc_port])
            with socket.create_connection(("127.0.0.1", port), 60) as connection:
                connection.sendall(random.choice([*CUT, os.urandom(200)]))
                time.sleep(random.random() / 2)
            self.counts["cut"] += 1

    def slow(self) -> None:
        body = b'{"signature_name": "initial_state", "inputs": 1}'
        head = f"POST /v1/models/small:predict HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}"
        while not self.stopped:
            with socket.create_connection(("127.0.0.1", self._server.port), 120) as connection:
                connection.sendall(f"{head}\r\n\r\n".encode())
                with contextlib.suppress(BrokenPipeError):  # It was too slow.
                    for byte in body:
                        connection.sendall(bytes([byte]))
                        time.sleep(0.02)
                self.counts[f"slow {connection.recv(12)[9:].decode()}"] += 1

    def _request(self, i: int) -> dict[str, np.ndarray]:
        return {n: x[i : i + 1] if self._specs[n].has_rows else x for n, x in self._inputs.items()}

    def _post(self, body: bytes) -> bytes:
        url = f"http://127.0.0.1:{self._server.port}/v1/models/small:predict"
        with urllib.request.urlopen(url, body, timeout=120) as response:
            return response.read()

    def _judge(self, protocol: str, i: int, outputs: dict[str, np.ndarray]) -> None:
        found = {name: array.tobytes() for name, array in outputs.items()}
        good = any(found == answers[i] for answers in self.wanted)
        self.counts[f"{protocol} {'right' if good else 'WRONG'}"] += 1


def main(seconds: float) -> None:
    failed: list[object] = []
    threading.excepthook = lambda args: failed.append(args.exc_value)
    with tempfile.TemporaryDirectory() as folder:
        run = pathlib.Path(folder) / "small"
        write = served.save(run / "policy" / "best")
        (run / "config.gin").touch()
        with started(run, "--reload_s=1", "--max_body_mib=1") as server:
            threading.Thread(target=server.process.stderr.read, daemon=True).start()
            load = Load(server, run / "policy" / "best")
            kinds = [*[load.right_grpc, load.right_rest] * 3, load.wrong, load.cut, load.slow]
            threads = [threading.Thread(target=kind) for kind in kinds]
            for thread in threads:
                thread.start()
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                time.sleep(min(RELOAD_S, seconds))
                reload(server, load, write, run)
            load.stopped = True
            for thread in threads:
                thread.join()
            assert server.process.poll() is None, "the server has ended"
            assert not failed, "a client has ended"
        assert not [name for name in load.counts if name.isupper() or "WRONG" in name], load.counts
        assert load.counts["grpc right"] and load.counts["rest right"]


def reload(server, load: Load, write, run: pathlib.Path) -> None:
    """A new version, whose answers are known before the server can have it."""
    write.policy.weight.assign_add(1.0)
    write.save(run / "next")
    load.wanted.append(load.direct(run / "next"))
    write.save(run / "policy" / "best")
    pid = server.process.pid
    os.kill(pid, signal.SIGSTOP)
    time.sleep(1)
    os.kill(pid, signal.SIGCONT)
    proc = pathlib.Path(f"/proc/{pid}")
    pages = int((proc / "statm").read_text().split()[1])
    threads, files = (len(os.listdir(proc / name)) for name in ("task", "fd"))
    memory = f"{pages * os.sysconf('SC_PAGE_SIZE') >> 20} MiB, {threads} threads, {files} files"
    print(f"{memory}, {dict(load.counts)}", flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1800.0)
