"""Replicas: each has ports of its own, and clients are told all that answer."""

from __future__ import annotations

import json

from pipelines.server import replicas
from pipelines.server.arrays import Limits
from pipelines.server.process import Listening, Serving


def test_each_has_ports_of_its_own():
    for port, expected in ((8500, 8503), (0, 0), (None, None)):
        listening = Listening(port=port, grpc_port=port)
        serving = Serving({"small": "/runs/small"}, Limits(), (1, 1.0), listening)
        found = replicas._numbered(serving, 3).listening
        assert found == listening._replace(port=expected, grpc_port=expected)


def test_addresses_are_said_and_written(tmp_path):
    said, path = [], tmp_path / "addresses.json"
    replicas._tell([("10.0.0.3", 8501, 8500), ("10.0.0.4", 0, 8501)], 3, str(path), said.append)
    assert said == ["serving 2 of 3 replicas; gRPC ipv4:10.0.0.3:8500,10.0.0.4:8501"]
    rest, grpc = ["10.0.0.3:8501"], ["10.0.0.3:8500", "10.0.0.4:8501"]
    assert json.loads(path.read_text()) == {"rest": rest, "grpc": grpc}
