"""Protects memory: the games under AddressSanitizer and UBSan, on real games and on garbage."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SOURCES = (
    "tests/ops/games/games_fuzz.cc",
    *(
        f"ops/games/cc/kernels/{name}.cc"
        for name in ("games_cpu", "go", "go_planes", "go_rollout", "rules")
    ),
)
FLAGS = (
    "-std=c++17",
    "-O1",
    "-Wno-psabi",
    "-I.",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
)


def test_the_games_are_clean(tmp_path):
    program, seed, rounds = tmp_path / "fuzz", 7, 400
    subprocess.run(["g++", *FLAGS, *SOURCES, "-o", str(program)], cwd=ROOT, check=True)
    run = [str(program), str(seed), str(rounds)]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == f"seed {seed}: {rounds} rounds\n"
