"""A host-driven search on the native kernels: ctypes on NumPy arrays, no op is dispatched."""

from __future__ import annotations

import ctypes
import functools
from ctypes import c_int64, c_void_p

import numpy as np

from ops import loader
from ops.mcts import c_types
from ops.mcts.errors import require
from ops.mcts.rules import SelectionRule
from ops.mcts.tree import EDGE_ROWS, NODE_FIELDS


def _structure(rule: SelectionRule) -> c_types.Rule:
    qtransform = rule.qtransform
    flags = {k: getattr(qtransform, k) for k in ("rescale_values", "use_mixed_value")}
    return c_types.rule(rule.kind, qtransform.kind, **rule.plain_numbers(), **flags)


@functools.cache
def library() -> ctypes.CDLL:
    """The library of the ops, by its plain C functions (cc/kernels/c_api.cc)."""
    loader.load("mcts")  # it needs TensorFlow's own library in the process
    library = ctypes.CDLL(str(loader.path_of("mcts")))
    library.lookahead_mcts_fault_text.restype = ctypes.c_char_p
    arguments = {
        "plant": [c_void_p] * 3,
        "depart": [c_void_p, c_int64] + [c_void_p] * 3,
        "answer": [c_void_p, c_int64] + [c_void_p] * 5,
        "return": [c_void_p, c_int64] + [c_void_p] * 2,
    }
    for name, types in arguments.items():
        function = getattr(library, f"lookahead_mcts_{name}")
        function.argtypes, function.restype = types, c_int64
    return library


class NativeForest:
    """Trees as arrays that the C functions work on in place.

    nodes, edges, stats are those of SearchTree; through is float32 [B, M], the walks in flight.
    """

    def __init__(
        self,
        nodes: np.ndarray,
        edges: np.ndarray,
        stats: np.ndarray,
        rule: SelectionRule,
        virtual_loss: float,
    ):
        self.nodes, self.edges, self.stats = nodes, edges, stats
        self.through = np.zeros(nodes.shape[:2], np.float32)
        self._library = library()
        pointer = ctypes.POINTER(ctypes.c_float)
        arrays = (array.ctypes.data_as(pointer) for array in (nodes, edges, stats))
        forest = c_types.Forest(*arrays, *nodes.shape[:2], edges.shape[3])
        parameters = rule.parameters()
        self._parameters = None if parameters is None else parameters.numpy()
        each = None if parameters is None else self._parameters.ctypes.data_as(pointer)
        through = self.through.ctypes.data_as(pointer)
        noise = c_types.RootNoise()
        if rule.kind == "gumbel":
            self._noise = [np.ascontiguousarray(part) for part in (rule.gumbel, rule.considered)]
            addresses = (part.ctypes.data_as(pointer) for part in self._noise)
            noise = c_types.RootNoise(*addresses, *self._noise[1].shape)
        rule = _structure(rule)
        self._busy = c_types.BusyForest(forest, through, rule, each, virtual_loss, noise)
        self._address = ctypes.addressof(self._busy)

    @classmethod
    def planted(
        cls,
        prior_logits: np.ndarray,
        value: np.ndarray,
        num_nodes: int,
        rule: SelectionRule,
        virtual_loss: float,
    ) -> NativeForest:
        """Trees of their roots alone; rows of nodes that are still to come are not touched."""
        batch, num_actions = prior_logits.shape
        nodes = np.empty((batch, num_nodes, NODE_FIELDS), np.float32)
        edges = np.empty((batch, num_nodes, EDGE_ROWS, num_actions), np.float32)
        forest = cls(nodes, edges, np.empty((batch, 3), np.float32), rule, virtual_loss)
        forest._call("plant", prior_logits, value)
        return forest

    def depart(self, walks: int) -> np.ndarray:
        """Sends walks off: parent, action, leaf, int32 [3, B, walks]."""
        out = np.empty((3, self.nodes.shape[0], walks), np.int32)
        self._call("depart", walks, *out)
        return out

    def answer(
        self,
        leaf: np.ndarray,
        reward: np.ndarray,
        discount: np.ndarray,
        prior_logits: np.ndarray,
        value: np.ndarray,
    ) -> None:
        """Writes the model's answers into the leaves: [B, walks], prior_logits [B, walks, A]."""
        self._call("answer", leaf.shape[1], leaf, reward, discount, prior_logits, value)

    def come_back(self, leaf: np.ndarray, value: np.ndarray) -> None:
        """Ends walks, carrying their values up to the roots: [B, walks]."""
        self._call("return", leaf.shape[1], leaf, value)

    def _call(self, name: str, *arguments: int | np.ndarray) -> None:
        """Calls a C function with the arrays' addresses; they must be contiguous."""
        plain = [a if isinstance(a, int) else a.ctypes.data for a in arguments]
        function = getattr(self._library, f"lookahead_mcts_{name}")
        code = function(self._address, *plain)
        if code:
            element, fault = divmod(code, 256)
            text = self._library.lookahead_mcts_fault_text(fault).decode()
            require(False, f"{text} (element {element} of the batch)")
