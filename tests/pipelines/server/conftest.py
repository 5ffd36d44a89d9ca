"""One SavedModel and one server for all tests of this folder that change neither."""

from __future__ import annotations

import pytest

from pipelines.server.arrays import Limits
from pipelines.server.loaded import LoadedPolicy
from tests.pipelines.server import served


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    """The directory of the small policy's SavedModel."""
    directory = tmp_path_factory.mktemp("saved") / "policy" / "best"
    served.save(directory)
    return directory


@pytest.fixture(scope="session")
def policy(saved) -> LoadedPolicy:
    """What the server is compared with: the SavedModel, called directly."""
    return LoadedPolicy(saved)


@pytest.fixture(scope="session")
def server(saved):
    """A server with small limits."""
    with served.serving(saved, Limits(rows=16, body_bytes=1 << 16)) as running:
        yield running
