"""Protects memory and threads: the kernels under AddressSanitizer, UBSan and ThreadSanitizer."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
KERNELS = ("crew", "in_flight", "search_cpu", "search_portable", "search_avx2")
SOURCES = (
    "tests/ops/mcts/kernels_fuzz.cc",
    *(f"ops/mcts/cc/kernels/{name}.cc" for name in KERNELS),
)
FLAGS = (
    "-std=c++17",
    "-O0",
    "-Wno-psabi",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-pthread",
    "-I.",
)


@pytest.mark.parametrize("sanitizers, rounds", [("address,undefined", 200), ("thread", 60)])
def test_the_kernels_are_clean_under(sanitizers, rounds, tmp_path):
    program, seed = tmp_path / "fuzz", 7
    options = (f"-fsanitize={sanitizers}", "-fno-sanitize-recover=all")
    subprocess.run(["g++", *FLAGS, *options, *SOURCES, "-o", str(program)], cwd=ROOT, check=True)
    run = [str(program), str(seed), str(rounds)]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"seed {seed}: {rounds} rounds\n"
