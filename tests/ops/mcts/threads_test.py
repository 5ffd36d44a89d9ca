"""Protects that a search gives the same bits however many threads share its trees."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]

# Large enough that a step is worth several threads: see share_trees.cc.
SEARCHES = """
import hashlib, sys
import tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[1]))
tf.config.threading.set_inter_op_parallelism_threads(int(sys.argv[1]))
from ops import mcts
from tests.ops.mcts.models import TableModel, fields, random_tables

model = TableModel(random_tables(seed=3, num_states=200, num_actions=50))

def digest(policy, **kwargs):
    search = tf.function(lambda: policy(
        model.root(tf.range(1536) % 200), model.step, 40, seed=(1, 2), backend="native", **kwargs
    ).search_tree)
    search()
    values = fields(search())
    return hashlib.sha256(b"".join(values[name].tobytes() for name in sorted(values))).hexdigest()

print(digest(mcts.muzero_policy))
print(digest(mcts.muzero_policy, qtransform=mcts.qtransform_by_tree_min_max(), max_depth=5))
print(digest(mcts.gumbel_muzero_policy))
"""


def digests(num_threads):
    command = [sys.executable, "-c", SEARCHES, str(num_threads)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.split()


def test_a_search_does_not_depend_on_the_number_of_threads():
    alone = digests(1)
    assert len(set(alone)) == 3
    assert digests(4) == alone
