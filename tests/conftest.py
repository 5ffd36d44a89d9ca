"""What holds for every test."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="module")
def a_file_of_its_own(request: pytest.FixtureRequest) -> Iterator[None]:
    """gin's bindings and TensorFlow's seed are global: one file's must not reach the next."""
    _seed(request.node.nodeid)
    yield
    if "gin" in sys.modules:
        sys.modules["gin"].clear_config()


@pytest.fixture(autouse=True)
def weights_as_in_each_run(request: pytest.FixtureRequest) -> None:
    """What draws without a seed of its own, as networks do, draws the same in each run."""
    _seed(request.node.nodeid)


def _seed(name: str) -> None:
    if "tensorflow" in sys.modules:
        sys.modules["tensorflow"].random.set_seed(zlib.crc32(name.encode()))
