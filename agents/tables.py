"""Reverb tables by name: how items are selected, removed, and how often each is sampled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import reverb

_SELECTORS: dict[str, Callable[[float], Any]] = {
    "uniform": lambda _: reverb.selectors.Uniform(),
    "fifo": lambda _: reverb.selectors.Fifo(),
    "lifo": lambda _: reverb.selectors.Lifo(),
    # Of equal priorities a heap samples the one that was written, or updated, longest ago.
    "ring": lambda _: reverb.selectors.MaxHeap(),
    "prioritized": lambda exponent: reverb.selectors.Prioritized(exponent),
}


def make_table(
    name: str,
    signature: Any,
    max_size: int,
    *,
    sampler: str = "uniform",
    remover: str = "fifo",
    min_size_to_sample: int = 1,
    samples_per_insert: float | None = None,
    error_buffer: float | None = None,
    max_times_sampled: int = 0,
    priority_exponent: float = 0.8,
) -> reverb.Table:
    """Makes a table of at most `max_size` items.

    Args:
      name: what adders and datasets call it.
      signature: nest of tf.TensorSpec, an item's shapes and types (an adder's `signature(...)`).
      max_size: items kept; the `remover` chooses which one goes.
      sampler: 'uniform', 'fifo', 'lifo', 'ring' or 'prioritized'. Reverb's uniform and prioritized
        ones cannot be seeded; the others are deterministic. 'ring' goes through the table in order
        when each item that was sampled is given its priority anew.
      remover: one of the same names.
      min_size_to_sample: items that must be there before the first sample.
      samples_per_insert: how often an item is sampled on average; whoever is ahead waits. None:
        nobody waits once `min_size_to_sample` is reached.
      error_buffer: how far samples may run away from that ratio, in samples. None: a tenth of what
        the first `min_size_to_sample` items allow, and room for one insert at least.
      max_times_sampled: an item leaves after that many samples; 0: never.
      priority_exponent: of 'prioritized': P(i) is proportional to priority_i ** exponent.

    Raises:
      ValueError: a name or a number that no table can have, in one line.
    """
    _check(max_size, min_size_to_sample, samples_per_insert, error_buffer, max_times_sampled)
    return reverb.Table(
        name=name,
        sampler=_selector("sampler", sampler, priority_exponent),
        remover=_selector("remover", remover, priority_exponent),
        max_size=max_size,
        max_times_sampled=max_times_sampled,
        rate_limiter=_rate_limiter(min_size_to_sample, samples_per_insert, error_buffer),
        signature=signature,
    )


def _check(
    max_size: int,
    min_size_to_sample: int,
    samples_per_insert: float | None,
    error_buffer: float | None,
    max_times_sampled: int,
) -> None:
    if max_size < 1:
        raise ValueError(f"max_size is {max_size}; a table needs at least 1 item")
    if not 1 <= min_size_to_sample <= max_size:
        raise ValueError(
            f"min_size_to_sample is {min_size_to_sample}; expected 1 to max_size ({max_size})"
        )
    if samples_per_insert is not None and samples_per_insert <= 0:
        raise ValueError(f"samples_per_insert is {samples_per_insert}; expected a number above 0")
    if error_buffer is not None and samples_per_insert is None:
        raise ValueError("error_buffer is set, but samples_per_insert is not; set both or neither")
    if max_times_sampled < 0:
        raise ValueError(f"max_times_sampled is {max_times_sampled}; expected 0 (no limit) or more")


def _selector(role: str, name: str, exponent: float) -> Any:
    if name not in _SELECTORS:
        raise ValueError(f"{role} is {name!r}; expected one of {', '.join(sorted(_SELECTORS))}")
    return _SELECTORS[name](exponent)


def _rate_limiter(
    min_size: int, samples_per_insert: float | None, error_buffer: float | None
) -> reverb.rate_limiters.RateLimiter:
    if samples_per_insert is None:
        return reverb.rate_limiters.MinSize(min_size)
    # Reverb itself refuses a buffer that leaves no room for one insert or one sample.
    least = max(1.0, samples_per_insert)
    if error_buffer is None:
        error_buffer = max(0.1 * min_size * samples_per_insert, 2.0 * least)
    elif error_buffer < least:
        raise ValueError(f"error_buffer is {error_buffer}; expected at least {least}")
    return reverb.rate_limiters.SampleToInsertRatio(samples_per_insert, min_size, error_buffer)
