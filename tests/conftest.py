"""What holds for every test."""

from __future__ import annotations

import sys

import pytest


@pytest.fixture(autouse=True, scope="module")
def bindings_of_this_file_alone():
    """gin's bindings are global: one file's must not reach the next."""
    yield
    if "gin" in sys.modules:
        sys.modules["gin"].clear_config()
