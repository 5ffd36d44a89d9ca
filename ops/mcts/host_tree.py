"""A search over a simulator on the host: the tree here, the rules of the game with the caller."""

from __future__ import annotations

from collections import deque

import numpy as np
import tensorflow as tf

from ops.mcts import arguments, backends, checks, policies, reuse
from ops.mcts.errors import require
from ops.mcts.host_native import NativeForest
from ops.mcts.host_reference import ReferenceForest
from ops.mcts.qtransforms import Number, QTransform, QTransformFn, qtransform_by_min_max
from ops.mcts.rules import SelectionRule, selection_rule
from ops.mcts.tree import SearchTree
from ops.mcts.types import PolicyOutput, RootFnOutput, SearchSummary


class Tree:
    """A batch of trees that the caller drives, with several walks of each in flight.

        tree = mcts.Tree(RootFnOutput(prior_logits, value, None), num_simulations=800)
        for _ in range(100):
            parent, action = tree.simulate(8)     # int32 [B, 8]
            ...                                   # play `action` in the state of node `parent`
            node = tree.expand(reward, discount, prior_logits, value)  # where to keep the states
            tree.backward()
        tree.summary().visit_counts

    `simulate` may be called again before `expand`, to keep a model busy: answers come in the order
    of the questions. A walk in flight counts, on each of its edges, as a visit that returned
    -virtual_loss. With one in flight the tree is that of `alphazero_policy`, or, by the rule
    'gumbel', of `gumbel_muzero_policy`. Two walks of a tree may end at the same edge; its node then
    takes the mean of both values.

    All arrays are NumPy's; eager tensors are taken too. After an error the tree is undefined.
    """

    def __init__(
        self,
        root: RootFnOutput | None,
        num_simulations: int,
        invalid_actions: np.ndarray | None = None,
        max_depth: int | np.ndarray | None = None,
        qtransform: QTransform | QTransformFn | None = None,
        dirichlet_fraction: Number = 0.25,
        dirichlet_alpha: Number = 0.3,
        dirichlet_noise: np.ndarray | None = None,
        pb_c_init: Number = 1.25,
        pb_c_base: Number = 19652.0,
        virtual_loss: float = 1.0,
        seed: tuple[int, int] | None = None,
        backend: str = "auto",
        search_tree: SearchTree | None = None,
        rule: str = "puct",
        max_num_considered_actions: int = 16,
        gumbel: np.ndarray | None = None,
        gumbel_scale: Number = 1.0,
    ):
        """Plants the roots, or takes up a tree that `reroot` gave.

        Args:
          root: the root's prior_logits [B, A] and value [B]; its embedding is not read. None with
            `search_tree`.
          num_simulations: how many walks each tree has room for, at least 1.
          invalid_actions, max_depth, dirichlet_fraction, dirichlet_alpha, dirichlet_noise,
            pb_c_init, pb_c_base, seed, backend, search_tree: as in `muzero_policy`.
          qtransform: by the bounds -1 and 1 if None; of 'gumbel' that of its policy.
          virtual_loss: how bad a walk in flight makes its edges look, in units of Q.
          rule: 'puct', or 'gumbel', which takes no `search_tree` and draws no Dirichlet noise.
          max_num_considered_actions, gumbel, gumbel_scale: as in `gumbel_muzero_policy`, whose
            schedule is that of all `num_simulations`.

        Raises:
          tf.errors.InvalidArgumentError: names the argument that is wrong.
        """
        require(tf.executing_eagerly(), "mcts.Tree is for the host: not inside a tf.function")
        num_simulations = checks.room_for(num_simulations, least=1)
        virtual_loss = arguments.known("virtual_loss", virtual_loss, arguments.FINITE)
        require(not tf.is_tensor(virtual_loss), "virtual_loss is a tensor, expected one number")
        require(rule in ("puct", "gumbel"), f"rule is {rule!r}, expected 'puct' or 'gumbel'")
        root = None if root is None else RootFnOutput(root.prior_logits, root.value, ())
        if rule == "gumbel":
            require(search_tree is None, "search_tree is not for the rule 'gumbel'")
            dirichlet_fraction = 0.0
        noise = (dirichlet_fraction, dirichlet_alpha, dirichlet_noise)
        root, tree, logits = policies.start_of(root, search_tree, invalid_actions, *noise, seed)
        if rule == "gumbel":
            most = arguments.integer("max_num_considered_actions", max_num_considered_actions, 1)
            drawn = (gumbel, gumbel_scale, policies.split_seed(seed)[0])
            counts = (most, num_simulations, num_simulations)
            chosen = policies.gumbel_rule(logits, qtransform, max_depth, *counts, *drawn)
        else:
            qtransform = qtransform or qtransform_by_min_max(-1.0, 1.0)
            rates = (pb_c_init, pb_c_base)
            chosen = selection_rule("puct", qtransform, max_depth, logits[:, 0], *rates)
        self._plant(root, tree, logits, num_simulations, chosen, virtual_loss, backend)
        self._rule, self._logits, self._seed = chosen, logits, seed
        self._left = num_simulations
        self._asked: deque[tuple[np.ndarray, tuple[int, ...]]] = deque()  # leaf, shape for the user
        self._answered: deque[tuple[np.ndarray, np.ndarray]] = deque()  # leaf, value

    def _plant(
        self,
        root: RootFnOutput | None,
        tree: SearchTree | None,
        logits: tf.Tensor,
        num_simulations: int,
        rule: SelectionRule,
        virtual_loss: float,
        backend: str,
    ) -> None:
        backend = backends.resolve(backend, rule.qtransform)
        forest = NativeForest if backend == "native" else ReferenceForest
        if tree is None:
            arrays = (logits.numpy(), root.value.numpy())
            self._forest = forest.planted(*arrays, num_simulations + 1, rule, virtual_loss)
        else:
            tree = checks.room(reuse.continued(tree, logits, backend), num_simulations)
            arrays = (np.array(part, order="C") for part in tree[:3])
            self._forest = forest(*arrays, rule, virtual_loss)

    @property
    def batch_size(self) -> int:
        """B."""
        return self._forest.nodes.shape[0]

    @property
    def in_flight(self) -> int:
        """Walks of each tree that `backward` has not ended."""
        return sum(leaf.shape[1] for leaf, _ in (*self._asked, *self._answered))

    def simulate(self, walks: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Sends walks off from the roots: the edges that want evaluation.

        Args:
          walks: how many walks of each tree; None for one, without an axis for it.

        Returns:
          parent and action, int32 [B] or [B, walks]. The edge may lead to a node that exists, where
          the depth limit, a terminal node or another walk's leaf ends the walk.
        """
        count = 1 if walks is None else arguments.integer("walks", walks, 1)
        require(
            count <= self._left,
            f"num_simulations has no room for walks = {count}: {self._left} are left",
        )
        parent, action, leaf = self._forest.depart(count)
        self._left -= count
        shape = leaf.shape if walks is not None else leaf.shape[:1]
        self._asked.append((leaf, shape))
        return parent.reshape(shape), action.reshape(shape)

    def expand(
        self,
        reward: np.ndarray,
        discount: np.ndarray,
        prior_logits: np.ndarray,
        value: np.ndarray,
    ) -> np.ndarray:
        """Answers the oldest `simulate` that has no answer yet.

        Args:
          reward, discount, value: float32 of the shape that `simulate` gave, as in
            RecurrentFnOutput: for two players in turn the discount is -1 and the reward is the
            mover's, at the end of a game the discount is 0 and all prior_logits are -inf.
          prior_logits: float32 [B, A] or [B, walks, A].

        Returns:
          The nodes behind the edges, int32 of the same shape: where to keep the states.

        Raises:
          tf.errors.InvalidArgumentError: for a wrong shape, NaN or an infinity, by name.
        """
        require(bool(self._asked), "expand has no simulate to answer")
        leaf, shape = self._asked[0]
        num_actions = self._forest.edges.shape[3]
        value = _array("value", value, shape).reshape(leaf.shape)
        self._forest.answer(
            leaf,
            _array("reward", reward, shape).reshape(leaf.shape),
            _array("discount", discount, shape).reshape(leaf.shape),
            _array("prior_logits", prior_logits, (*shape, num_actions)).reshape(*leaf.shape, -1),
            value,
        )
        self._asked.popleft()
        self._answered.append((leaf, value))
        return leaf.reshape(shape)

    def backward(self) -> None:
        """Carries the values of all answers up to the roots and ends their walks."""
        while self._answered:
            self._forest.come_back(*self._answered.popleft())

    def search_tree(self) -> SearchTree:
        """A copy as tensors, with mctx's fields; embeddings are the nodes' own indices [B, M].

        Raises:
          tf.errors.InvalidArgumentError: while walks are in flight.
        """
        return self._copied(self._forest.nodes.shape[1])

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """`nodes` and `edges` of `SearchTree` themselves, which change as the search goes on."""
        return self._forest.nodes, self._forest.edges

    def summary(self) -> SearchSummary:
        """Visit counts, probabilities, value and Q-values of the root, as arrays.

        Reads the root alone, whatever the tree's size.
        """
        return SearchSummary(*(part.numpy() for part in _summary(*self._copied(1)[:3])))

    def decision(self) -> PolicyOutput:
        """The action [B] and the weights [B, A] that the policy of this rule gives, as tensors.

        By 'puct' the most visited action and the shares of visits, by 'gumbel' the best of the most
        visited ones and the improved policy. `search_tree` is this tree.
        """
        root = self._copied(1)
        if self._rule.kind == "gumbel":
            found = policies.gumbel_decision(root, self._logits, self._rule)
            return found._replace(search_tree=self)
        weights = _summary(*root[:3]).visit_probs
        return PolicyOutput(policies.sampled_action(weights, 0.0, self._seed), weights, self)

    def _copied(self, num_nodes: int) -> SearchTree:
        """The first nodes of each tree."""
        flying = self.in_flight
        require(flying == 0, f"{flying} walks are in flight: expand and backward come first")
        forest = self._forest
        arrays = (forest.nodes[:, :num_nodes], forest.edges[:, :num_nodes], forest.stats)
        index = tf.tile(tf.range(num_nodes)[None], [self.batch_size, 1])
        return SearchTree(*map(tf.constant, arrays), index)

    def reroot(
        self, action: np.ndarray, num_simulations: int, max_kept: int | None = None
    ) -> SearchTree:
        """The tree behind `action` [B], for another `Tree(None, ..., search_tree=...)`.

        Its embeddings say which node each of its nodes was, int32 [B, max_kept + num_simulations];
        0 beyond the root marks nodes that are still free. As mcts.reroot.
        """
        return reuse.reroot(self.search_tree(), action, num_simulations, max_kept)


@tf.function(reduce_retracing=True, autograph=False)
def _summary(nodes: tf.Tensor, edges: tf.Tensor, stats: tf.Tensor) -> SearchSummary:
    """What is read of a root, in one call: op by op it takes as long as hundreds of simulations."""
    return SearchTree(nodes, edges, stats, ()).summary()


def _array(name: str, given: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """`given` as float32, contiguous, of the shape: plain C sees no more than its address."""
    if not (isinstance(given, np.ndarray) and given.dtype.kind in "fiu"):
        given = checks.tensor_of(name, given, tf.TensorShape(None)).numpy()
    require(given.shape == shape, f"{name} has shape {given.shape}, expected {shape}")
    return np.ascontiguousarray(given, np.float32)
