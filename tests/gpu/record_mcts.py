"""Records searches of the CPU kernels for mcts_harness.replay:

    python -m tests.gpu.record_mcts

Each file holds a tabular model, a rule, the edges that every walk took and the tree at the end.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from ops import mcts
from ops.mcts import native, seq_halving
from ops.mcts import tree as t
from ops.mcts.rules import UNLIMITED_DEPTH, SelectionRule
from tests.gpu.mcts_harness import RECORDINGS, answer_of
from tests.ops.mcts.models import random_tables

BATCH = 3
# Name, q-transform, actions, simulations, depth; actions on both sides of a warp's 32 lanes.
CASES = (
    ("siblings", mcts.qtransform_by_parent_and_siblings(), 5, 48, UNLIMITED_DEPTH),
    ("siblings_wide", mcts.qtransform_by_parent_and_siblings(), 70, 100, UNLIMITED_DEPTH),
    ("bounds", mcts.qtransform_by_min_max(-3.0, 3.0, 0.3), 33, 40, 3),
    ("tree", mcts.qtransform_by_tree_min_max(), 40, 60, UNLIMITED_DEPTH),
    ("spread", mcts.qtransform_by_min_max(-50.0, 50.0, 0.0), 60, 90, UNLIMITED_DEPTH),
    ("one_action", mcts.qtransform_by_tree_min_max(), 1, 12, 4),
    ("mixed", mcts.qtransform_completed_by_mix_value(), 9, 40, UNLIMITED_DEPTH),
    ("gumbel", mcts.qtransform_completed_by_mix_value(), 7, 40, UNLIMITED_DEPTH),
    ("gumbel_wide", mcts.qtransform_completed_by_mix_value(), 45, 64, UNLIMITED_DEPTH),
    ("stochastic", mcts.qtransform_by_parent_and_siblings(), 11, 60, UNLIMITED_DEPTH),
    ("stochastic_mixed", mcts.qtransform_completed_by_mix_value(), 50, 90, 7),
)
FIRST_OUTCOME = 4
FLOAT_FIELDS = (t.PARENT, t.VISITS, t.VALUE, t.RAW_VALUE, t.REWARD, t.DISCOUNT)


def tables_of(seed: int, num_actions: int, flat: bool) -> dict[str, np.ndarray]:
    """A random model, some states of which are terminal and some actions illegal.

    With a flat prior a search takes more actions of the root than a warp has lanes.
    """
    tables = random_tables(seed, num_states=40, num_actions=num_actions)
    tables["prior_logits"] *= np.float32(0.05 if flat else 1.0)
    rng = np.random.default_rng(seed)
    illegal = rng.random(tables["prior_logits"].shape) < 0.2
    illegal[:, 0] = False
    tables["prior_logits"][illegal] = -np.inf
    tables["prior_logits"][35:] = -np.inf
    return tables


def in_turns(tables: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The model with decisions in its first 20 states and chance in the others, each of which
    leads to the other kind; in every second of chance's all outcomes are as likely.
    """
    state = np.arange(len(tables["value"]))[:, None]
    chance, outcome = state >= 20, np.arange(tables["reward"].shape[1]) >= FIRST_OUTCOME
    alike = chance & (state < 35) & (state % 2 == 0)
    logits = np.where(alike, np.float32(0.0), tables["prior_logits"])
    return tables | {
        "next_state": tables["next_state"] % 20 + np.where(chance, 0, 20).astype(np.int32),
        "prior_logits": np.where(chance == outcome, logits, np.float32(-np.inf)),
    }


def rule_of(name, qtransform, num_actions, num_simulations, depth) -> SelectionRule:
    if name.startswith("stochastic"):
        return SelectionRule("stochastic", qtransform, depth, first_outcome=FIRST_OUTCOME)
    if not name.startswith("gumbel"):
        return SelectionRule("puct", qtransform, depth)
    gumbel = np.random.default_rng(1).gumbel(size=(BATCH, num_actions)).astype(np.float32)
    considered = seq_halving.table_of_considered_visits(16, num_simulations)
    return SelectionRule("gumbel", qtransform, depth, gumbel=gumbel, considered=considered)


def record(name, qtransform, num_actions, num_simulations, depth) -> dict[str, np.ndarray]:
    tables = tables_of(num_simulations, num_actions, flat=name == "spread")
    tables = in_turns(tables) if name.startswith("stochastic") else tables
    rule = rule_of(name, qtransform, num_actions, num_simulations, depth)
    state = np.arange(BATCH, dtype=np.int32)
    logits = tables["prior_logits"][state]
    root = mcts.RootFnOutput(tf.constant(logits), tf.constant(tables["value"][state]), state)
    tree, edges = native.tree_from_root(root, num_simulations + 1), []
    for _ in range(num_simulations):
        parent, action = native.simulate(tree, rule)
        edges.append((parent.numpy(), action.numpy()))
        before = native.gather_nodes(tree.embeddings, parent).numpy()
        answer, after = answer_of(tables, before, edges[-1][1])
        step = mcts.RecurrentFnOutput(**{k: tf.constant(v) for k, v in answer.items()})
        tree, leaf = native.expand(tree, parent, action, step, tf.constant(after))
        tree = native.backward(tree, leaf)
    parent, action = np.swapaxes(np.array(edges), 0, 1)
    empty = np.zeros((0, 0), np.float32)
    noise = [empty if part is None else part for part in (rule.gumbel, rule.considered)]
    settings = dict(kind=rule.kind, max_depth=depth, pb_c_init=rule.pb_c_init)
    settings |= dict(pb_c_base=rule.pb_c_base, **qtransform._asdict())
    settings |= dict(kind=rule.kind, qtransform=qtransform.kind, first_outcome=rule.first_outcome)
    return tables | {f"rule_{key}": np.array(value) for key, value in settings.items()} | dict(
        root_state=state, root_logits=logits, parent=parent, action=action,
        gumbel=noise[0], considered=noise[1], **tree_at_end(tree),
    )  # fmt: skip


def tree_at_end(tree: t.SearchTree) -> dict[str, np.ndarray]:
    nodes, root_edges = tree.nodes.numpy(), tree.edges[:, 0].numpy()
    made = nodes[..., t.VISITS] > 0
    slots = np.arange(root_edges.shape[2])
    expanded = slots < t.expanded_of(tree.nodes[:, 0]).numpy()[:, None]
    known = np.repeat(expanded[:, None], t.EDGE_ROWS, 1)
    known[:, [t.EDGE_PROB, t.EDGE_ACTION, t.EDGE_LOGIT]] = True
    return dict(
        nodes=np.where(made[..., None], nodes, 0), made=made, stats=tree.stats.numpy(),
        root_edges=np.where(known, root_edges, 0), root_known=known,
        float_fields=np.array(FLOAT_FIELDS), bit_fields=np.array([t.PLACE]),
    )  # fmt: skip


def main() -> None:
    RECORDINGS.mkdir(parents=True, exist_ok=True)
    for name, *case in CASES:
        np.savez_compressed(RECORDINGS / f"{name}.npz", **record(name, *case))


if __name__ == "__main__":
    main()
