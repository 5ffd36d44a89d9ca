"""`make` and what it makes: a game's rules as functions of packed states, on either backend."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from ops.games import backends, games_reference, layout, native
from ops.games.options import Options, options


class Step(NamedTuple):
    """What a move leads to.

    Attributes:
      state: uint8 [B, S].
      reward: float32 [B], the mover's: 1 where the move has won the game, -1 lost, else 0.
      discount: float32 [B], -1 while the game goes on, the other player being to move, else 0.
      legal: bool [B, A], the next player's; all False where the game is over.
    """

    state: tf.Tensor
    reward: tf.Tensor
    discount: tf.Tensor
    legal: tf.Tensor


class Rules:
    """One game's rules, without a state of their own: safe to share, and to use in any graph.

    A state is uint8 [B, S] (`layout`), which a search takes as embedding:

        def recurrent_fn(action, state):
            state, reward, discount, legal = rules.step(state, action)
            logits, value = network(rules.observe(state))
            logits = tf.where(legal, logits, -float("inf"))
            return mcts.RecurrentFnOutput(reward, discount, logits, value), state

    Bytes that are no state of the game end in InvalidArgument or in some answer.

    Attributes:
      options: the game and its rules, as they were understood.
      name: the game's.
      num_actions: A. An action is a cell, row by row; in connect four a column, whose row 0 is the
        lowest; in Go and othello the last one is to pass.
      state_size: S, in bytes.
      observation_shape: H, W, P.
      portable: whether a graph of plain TensorFlow can hold them.
      max_game_length: moves, passes counted, after which any game is over.
    """

    def __init__(self, options: Options, backend: str) -> None:
        self.options = options
        self.name = options.name
        self.num_actions = options.num_actions
        self.state_size = layout.state_size(options)
        self.observation_shape = (options.height, options.width, 2 * options.history + 1)
        self.max_game_length = options.max_moves
        self.portable = options.name in backends.PORTABLE
        self._backend = backends.checked(backend, options.name)

    def initial(self, batch_size: int | tf.Tensor) -> tf.Tensor:
        """States in which games begin: uint8 [B, S]."""
        state = tf.constant(layout.initial(self.options)[None])
        return tf.tile(state, [batch_size, 1])

    def step(self, state: tf.Tensor, action: tf.Tensor) -> Step:
        """Plays an action int32 [B] in states [B, S].

        Where the game is over, the state stays as it is, whatever the action; reward and discount
        are 0.

        Raises:
          tf.errors.InvalidArgumentError: names the first row whose action is illegal. XLA drops
            the check.
        """
        action = _integers(action)
        return Step(*self._implementation().step(self._checked(state), action, self.options))

    def legal(self, state: tf.Tensor) -> tf.Tensor:
        """What the player to move may do: bool [B, A], all False where the game is over."""
        return self._implementation().legal(self._checked(state), self.options)

    def observe(self, state: tf.Tensor) -> tf.Tensor:
        """What the player to move sees: float32 [B, H, W, P], of ones and zeros.

        For each of `history` boards, the newest first, the own stones and the other's; boards
        before the beginning are empty. The last plane is 1 where the first player is to move.
        """
        return self._implementation(has_twin=True).observe(self._checked(state), self.options)

    def to_play(self, state: tf.Tensor) -> tf.Tensor:
        """Who moves next, or would if the game were not over: int32 [B], 0 the first player."""
        return self._unpacked(state).moves % 2

    def over(self, state: tf.Tensor) -> tf.Tensor:
        """Whether the game has ended: bool [B]."""
        return self._unpacked(state).over

    def score(self, state: tf.Tensor) -> tf.Tensor:
        """How it ended for the first player: float32 [B], 1, 0 or -1; 0 while it goes on."""
        status = self._unpacked(state).status
        won, lost = status == layout.FIRST_WON, status == layout.SECOND_WON
        return tf.cast(won, tf.float32) - tf.cast(lost, tf.float32)

    def board(self, state: tf.Tensor) -> tf.Tensor:
        """int8 [B, H, W]: 1 the first player's stones, -1 the second's, 0 empty."""
        parts = self._unpacked(state)
        first, second = (tf.cast(layout.stones(s), tf.int8) for s in (parts.first, parts.second))
        return tf.reshape(first - second, [-1, self.options.height, self.options.width])

    def _implementation(self, has_twin: bool | None = None) -> Any:
        has_twin = self.portable if has_twin is None else has_twin
        backend = backends.resolve(self._backend, self.name, has_twin)
        return native if backend == "native" else games_reference

    def _unpacked(self, state: tf.Tensor) -> layout.Unpacked:
        return layout.unpack(self._checked(state), self.options)

    def _checked(self, state: tf.Tensor) -> tf.Tensor:
        state = tf.convert_to_tensor(state)
        good = state.dtype == tf.uint8 and state.shape.is_compatible_with([None, self.state_size])
        if not good:
            found = f"{state.dtype.name} {state.shape}"
            raise ValueError(f"state is {found}, expected uint8 (None, {self.state_size})")
        return state


def _integers(action: tf.Tensor) -> tf.Tensor:
    action = tf.convert_to_tensor(action)
    if not action.dtype.is_integer or not action.shape.is_compatible_with([None]):
        found = f"{action.dtype.name} {action.shape}"
        raise ValueError(f"action is {found}, expected int32 (None,)")
    return tf.cast(action, tf.int32)


def make(
    name: str,
    *,
    size: int | None = None,
    komi: float | None = None,
    suicide: bool | None = None,
    superko: bool | None = None,
    max_moves: int | None = None,
    history: int | None = None,
    backend: str = "auto",
) -> Rules:
    """The rules of a game.

    Args:
      name: 'tic_tac_toe', 'connect_four', 'othello' or 'go'.
      size: rows and columns: othello 6 or 8 (8 if None), Go 5 to 19 (19).
      komi: Go's points for the second player, 7.5 if None; with a whole number there are draws.
      suicide: Go: whether several own stones may be taken by the move that leaves them without a
        liberty; not if None. One stone alone never may: the board would stay as it is.
      superko: Go: whether no board that was may come back, whoever is to move (positional superko,
        the default), or only not the one before the last move.
      max_moves: ends a game of Go, which is scored then; 2 · size² if None.
      history: boards that `observe` shows, 1 to 8; 8 in Go, 1 elsewhere if None.
      backend: 'native' (cc/), 'tensorflow' (games_reference, which XLA compiles; not for Go) or
        'auto', which is native where `ops.loader.serves` says so, at each call.

    Raises:
      ValueError: names the option that is wrong, or (loader.LibraryMissing) the missing library.
    """
    given = dict(
        size=size, komi=komi, suicide=suicide, superko=superko, max_moves=max_moves, history=history
    )
    return Rules(options(name, **given), backend)
