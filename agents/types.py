"""The data that flows from the environment to the learner, and the letters for its axes.

| letter | axis |
|---|---|
| B | batch: sequences that a learner reads together, or environments that act together |
| T | time: steps of a sequence, in the order they happened |
| A | action: its components when continuous, the number of actions when discrete |
| K | elites (or classes) kept by a planner or a distribution |
| H | horizon: steps that a planner looks ahead |
| N | simulations of a tree search |

How time is aligned. At index t of a trajectory stand the observation o_t, the action a_t taken
there, and the reward r_t and the discount d_t with which the environment answered *that* action:

    t                  0      1      2     ...   L-1     L      L+1 ...
    observation        o_0    o_1    o_2         o_L-1   o_L    0
    action             a_0    a_1    a_2         a_L-1   0      0
    reward             r_0    r_1    r_2         r_L-1   0      0
    discount           d_0    d_1    d_2         d_L-1   0      0
    start_of_episode   True   False  False       False   False  True

An episode of L actions has L + 1 rows: the last holds the final observation, and its action, reward
and discount are zeros without meaning. d_L-1 is 0 where the environment terminated and 1 where a
time limit cut the episode. Rows after it are padding and appear only where an episode is shorter
than the sequence: zeros, but for `start_of_episode`, since they are of that episode no more. (Items
of MuZero's, which are padded in front as well, have weights instead that say what is known.)
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Trajectory(NamedTuple):
    """A sequence of steps, or a batch of them: each leaf is `[T, ...]` or `[B, T, ...]`.

    The fields are those of Acme's Reverb adders in their order, so that
    `Trajectory(*sample.data)` takes what comes out of a table; only their meaning stands here, and
    nothing of Acme need be imported to read it.

    Attributes:
      observation: array or nest; pixels are uint8 `[T, height, width, channels]`.
      action: float32 `[T, A]` or int32 `[T]`.
      reward: float32 `[T]`, summed over an action repeat.
      discount: float32 `[T]`, in [0, 1].
      start_of_episode: bool `[T]`, True at the first row of an episode, and in padding.
      extras: what the policy recorded beside the action (search statistics), or `()`.

    An adder of an agent's own may give its leaves different lengths T (fewer observations than
    rewards); the table's signature says which.
    """

    observation: Any
    action: Any
    reward: Any
    discount: Any
    start_of_episode: Any
    extras: Any = ()


class Sample(NamedTuple):
    """A batch of trajectories, and how the table chose each: for prioritised replay.

    Attributes:
      key: uint64 `[B]`, by which new priorities are written back.
      probability: float64 `[B]`, of the item's choice at the time it was made.
      table_size: int64 `[B]`, number of items at that time.
      trajectory: leaves `[B, T, ...]`.
    """

    key: Any
    probability: Any
    table_size: Any
    trajectory: Trajectory
