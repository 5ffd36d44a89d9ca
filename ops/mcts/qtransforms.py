"""How the Q-values of a node's actions become comparable with its prior: values that both backends
read.

Each function of mctx's name returns a `QTransform`; ops/mcts/README.md says how to add one.
"""

from __future__ import annotations

from typing import NamedTuple

from ops.mcts.errors import require


class QTransform(NamedTuple):
    """Which transform, and its parameters; those that the transform does not read keep their
    defaults.
    """

    kind: str
    min_value: float = 0.0
    max_value: float = 1.0
    fpu_reduction: float = -1.0  # negative: no first-play urgency
    value_scale: float = 0.1
    maxvisit_init: float = 50.0
    rescale_values: bool = True
    use_mixed_value: bool = True
    epsilon: float = 1e-8


def qtransform_by_parent_and_siblings(epsilon: float = 1e-8) -> QTransform:
    """Scales by the least and greatest of the node's value and its visited Q; unvisited count as
    least.
    """
    require(epsilon > 0, f"epsilon is {epsilon}, expected a number above 0")
    return QTransform("parent_and_siblings", epsilon=epsilon)


def qtransform_by_min_max(
    min_value: float, max_value: float, fpu_reduction: float | None = None
) -> QTransform:
    """Scales by known bounds; unvisited actions count as `min_value`.

    With `fpu_reduction` (first-play urgency) an unvisited action counts as the node's own value
    less the reduction, within the bounds.
    """
    require(min_value < max_value, f"min_value {min_value} is not below max_value {max_value}")
    reduction = -1.0 if fpu_reduction is None else fpu_reduction
    require(
        fpu_reduction is None or reduction >= 0,
        f"fpu_reduction is {fpu_reduction}, expected None or a number of at least 0",
    )
    return QTransform("min_max", float(min_value), float(max_value), float(reduction))


def qtransform_completed_by_mix_value(
    value_scale: float = 0.1,
    maxvisit_init: float = 50.0,
    rescale_values: bool = True,
    use_mixed_value: bool = True,
    epsilon: float = 1e-8,
) -> QTransform:
    """Completed Q-values of Gumbel MuZero (Danihelka et al. 2022, appendix D, equation 33).

    Unvisited actions take the raw value mixed with the visited Q; the whole is scaled to [0, 1] and
    by (maxvisit_init + most visits) · value_scale.
    """
    require(epsilon > 0, f"epsilon is {epsilon}, expected a number above 0")
    return QTransform(
        "completed_by_mix_value",
        value_scale=value_scale,
        maxvisit_init=maxvisit_init,
        rescale_values=rescale_values,
        use_mixed_value=use_mixed_value,
        epsilon=epsilon,
    )


def qtransform_by_tree_min_max() -> QTransform:
    """MuZero's (appendix B): scaled by the least and greatest Q(s, a) that a backup wrote in the
    tree.

    Q itself while the two are equal; 0 for unvisited actions.
    """
    return QTransform("tree_min_max")
