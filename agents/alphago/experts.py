"""Expert games: a folder of SGF files as positions, with the moves that were made there."""

from __future__ import annotations

import hashlib
import pathlib
import sys
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from agents.boards import sgf
from ops import games
from ops.games import Rules
from ops.games.host import HostRules

_NAMED = 3  # Bad files that a warning names.
_LONGEST = 2000  # Moves of a record.


class Examples(NamedTuple):
    """Positions and what experts did: state uint8 [B, S], action int32 [B]."""

    state: tf.Tensor
    action: tf.Tensor


class Experts(NamedTuple):
    """What a folder holds.

    Attributes:
      rules: of the states, which remember the last board alone.
      learned, held_out: positions to learn from, and to measure on; arrays.
      games: that were read.
      bad: names of files that hold no such game, and why.
      fingerprint: int64 [4], of all files and what is in them.
    """

    rules: Rules
    learned: Examples
    held_out: Examples
    games: int
    bad: list[tuple[str, str]]
    fingerprint: np.ndarray


def read(folder: str, rules: Rules, held_out: float) -> Experts:
    """Reads all files of a folder; bad ones are told on stderr.

    Args:
      folder: is searched with its folders for '*.sgf'.
      rules: of Go; games on other boards are bad.
      held_out: share of the games; which ones, their names decide.

    Raises:
      ValueError: there are no games.
    """
    root = pathlib.Path(folder)
    paths = sorted(root.rglob("*.sgf")) if folder else []
    if not paths:
        raise ValueError(
            f"AlphaGoConfig.sgf_folder = {folder!r} holds no SGF files; expected games to learn "
            "from: `python pipelines/expert_games.py --folder=DIR` makes some"
        )
    options = rules.options
    simple = games.make("go", size=options.height, superko=False, max_moves=_LONGEST)
    digest, records, bad = hashlib.sha256(), {}, []
    for path in paths:
        name, text = path.relative_to(root).as_posix(), path.read_bytes()
        digest.update(name.encode() + b"\0" + hashlib.sha256(text).digest())
        try:
            records[name] = _record(text, options.height)
        except ValueError as error:
            bad.append((name, str(error)))
    parts, illegal = _play(simple, records)
    bad += illegal
    _tell(folder, len(paths), bad)
    names = [name for name in records if name not in dict(illegal)]
    if not parts:
        raise ValueError(
            f"AlphaGoConfig.sgf_folder = {folder!r} has no game on {options.height}×"
            f"{options.height} among its {len(paths)} SGF files"
        )
    apart, learned = ([], [])
    for name, part in parts.items():
        (apart if _share(name) < held_out else learned).append(part)
    if not learned:
        raise ValueError(
            f"AlphaGoConfig.held_out = {held_out} keeps all {len(apart)} games of "
            f"sgf_folder = {folder!r} apart; expected some to learn from"
        )
    return Experts(
        simple,
        _joined(learned, simple),
        _joined(apart, simple),
        len(names),
        bad,
        np.frombuffer(digest.digest(), np.int64),
    )


def _record(text: bytes, size: int) -> tuple[list[int], list[bool]]:
    record = sgf.read(text.decode(errors="replace"))
    if record.size != size:
        raise ValueError(f"the board is {record.size}×{record.size}, expected {size}×{size}")
    actions, recorded = record.actions()
    if not any(recorded):
        raise ValueError("it has no move")
    if len(actions) >= _LONGEST:
        raise ValueError(f"it has {len(actions)} moves, expected fewer than {_LONGEST}")
    return actions, recorded


def _play(
    rules: Rules, records: dict[str, tuple[list[int], list[bool]]]
) -> tuple[dict[str, list[tuple[np.ndarray, int]]], list[tuple[str, str]]]:
    """Plays all games side by side: positions and moves of each, and games with illegal moves."""
    host, bad = HostRules(rules), []
    going = {name: row for row, name in enumerate(records)}
    state = host.initial(len(records))
    parts: dict[str, list[tuple[np.ndarray, int]]] = {name: [] for name in records}
    for move in range(max((len(actions) for actions, _ in records.values()), default=0)):
        for name in [n for n in going if len(records[n][0]) <= move]:
            del going[name]
        if not going:
            break
        rows = np.array(list(going.values()))
        legal = host.legal(state[rows])
        actions = np.array([records[name][0][move] for name in going], np.int32)
        fits, over = legal[np.arange(len(rows)), actions], ~legal.any(axis=1)
        for name, row, action, fit, ended in zip(
            list(going), rows, actions, fits, over, strict=True
        ):
            if not fit:  # What comes behind the end of the game is left out.
                del going[name]
                if not ended:
                    bad.append((name, f"move {move + 1} is illegal"))
                    del parts[name]
            elif records[name][1][move]:
                parts[name].append((state[row].copy(), int(action)))
        if fits.any():
            state[rows[fits]] = host.step(state[rows[fits]], actions[fits])[0]
    return {name: part for name, part in parts.items() if part}, bad


def _joined(parts: list[list[tuple[np.ndarray, int]]], rules: Rules) -> Examples:
    pairs = [pair for part in parts for pair in part]
    states = np.stack([s for s, _ in pairs]) if pairs else np.zeros((0, rules.state_size), np.uint8)
    return Examples(states, np.array([action for _, action in pairs], np.int32))


def _share(name: str) -> float:
    """A number in [0, 1) that the name alone decides, so that more files change nobody's place."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") / 2**32


def _tell(folder: str, count: int, bad: list[tuple[str, str]]) -> None:
    if not bad:
        return
    named = ", ".join(f"{name} ({why})" for name, why in bad[:_NAMED])
    more = f" and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
    line = f"warning: {len(bad)} of {count} SGF files in {folder} are left out: {named}{more}"
    print(line, file=sys.stderr, flush=True)


def dataset(examples: Examples, batch_size: int, seed: int, first_update: int) -> tf.data.Dataset:
    """Batches drawn with replacement; what an update sees depends on its number alone."""
    states, actions = (tf.constant(part) for part in examples)

    def batch(update: tf.Tensor) -> Examples:
        drawn = tf.random.stateless_uniform(
            [batch_size], tf.stack([tf.cast(seed, tf.int64), update]), 0, len(states), tf.int64
        )
        return Examples(tf.gather(states, drawn), tf.gather(actions, drawn))

    return tf.data.Dataset.range(first_update, tf.int64.max).map(batch).prefetch(2)
