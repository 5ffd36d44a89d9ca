"""Protects Bazel's build of the native ops: TensorFlow loads what it makes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOADS = """
import sys, tensorflow
print("lookahead_mcts_step" in dir(tensorflow.load_op_library(sys.argv[1])))
"""


@pytest.mark.timeout(1200)
def test_bazel_builds_a_library_that_tensorflow_loads(tmp_path):
    """Where Bazel is, and .venv has the TensorFlow that WORKSPACE names."""
    if shutil.which("bazel") is None or Path(sys.prefix) != ROOT / ".venv":
        assert (ROOT / "tools/bazel_rules/cc/defs.bzl").is_file()
        return
    bazel = ["bazel", f"--output_user_root={tmp_path}"]
    flags = ["--jobs=1", "--spawn_strategy=local", "--symlink_prefix=/", "--noshow_progress"]
    try:
        build = [*bazel, "build", *flags, "//ops/mcts:_mcts_ops.so"]
        subprocess.run(build, cwd=ROOT, check=True)
        find = [*bazel, "info", "bazel-bin"]
        folder = subprocess.run(find, cwd=ROOT, check=True, capture_output=True, text=True).stdout
        library = Path(folder.strip()) / "ops/mcts/_mcts_ops.so"
        load = [sys.executable, "-c", LOADS, str(library)]
        loaded = subprocess.run(load, check=True, capture_output=True, text=True).stdout
        assert loaded == "True\n"
    finally:
        subprocess.run([*bazel, "shutdown"], cwd=ROOT, check=True)
