"""What a SavedModel says of itself: its functions and signatures, every input and output."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import tensorflow as tf

from agents.policy import Policy
from pipelines.serving import checks

_ALL_POLICIES = {
    "batch_size": "B, the number of rows: games or environments that are played side by side",
    "seed": "of this step's randomness; equal inputs give equal actions, so change it at each step",
    "action": "what to do in each row",
    "observation_legal_actions": "which actions the rules allow, at least one in a row",
}
_HEAD = """# A policy

    policy = tf.saved_model.load(DIRECTORY)
    state = policy.initial_state(B)
    action, state, info = policy.step(observation, state, [seed, t])

Each step gives the state that the next one takes; a row whose episode begins takes its row of
`initial_state`. The same on flat names, for servers: the signatures below; `serving_default` is
`step`. Inputs that do not fit end in InvalidArgument, which names the input. Arrays are another
matter: TensorFlow itself turns a NumPy array of another type into the type below before the policy
sees it, fractions cut off, so give tensors, or arrays of that type.
"""


def of(policy: Policy, signatures: Mapping[str, Any]) -> str:
    """The description, in Markdown.

    Args:
      policy: what is saved; its `meanings` are said of what has these names.
      signatures: of the SavedModel, `tf.function`s by name.
    """
    meanings = {**_ALL_POLICIES, **policy.meanings}
    names = [name for name in signatures if name != "serving_default"]
    parts = [_signature(name, signatures[name], meanings, policy) for name in names]
    return "\n".join([_HEAD, *parts])


def _signature(name: str, function: Any, meanings: Mapping[str, str], policy: Policy) -> str:
    outputs = [
        tf.TensorSpec(value.shape, value.dtype, key)
        for key, value in sorted(function.get_concrete_function().structured_outputs.items())
    ]
    inputs = _rows("in", tf.nest.flatten(function.input_signature), meanings, policy)
    table = [*inputs, *_rows("out", outputs, meanings, policy)]
    head = f"## {name}\n| | name | type | meaning |\n|---|---|---|---|\n"
    return head + "".join(f"| {' | '.join(cells)} |\n" for cells in table)


def _rows(way: str, specs: Iterable[tf.TensorSpec], meanings, policy) -> list[tuple[str, ...]]:
    return [
        (way, f"`{spec.name}`", checks.described(spec), _meaning(spec, meanings, policy))
        for spec in specs
    ]


def _meaning(spec: tf.TensorSpec, meanings: Mapping[str, str], policy: Policy) -> str:
    """The words for it, and what its type or the policy's options add."""
    words = meanings.get(spec.name)
    if words is None and spec.name.startswith("state"):
        words = "the policy's own: what `initial_state` or the last step returned"
    return "; ".join(part for part in (words, _range(spec, policy)) if part)


def _range(spec: tf.TensorSpec, policy: Policy) -> str | None:
    if spec.name in policy.options:
        return f"by default {policy.options[spec.name]}"
    return "0 to 255" if spec.dtype == tf.uint8 else None
