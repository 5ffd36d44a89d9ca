"""The cross-entropy method as TensorFlow ops: batched planners over sequences of actions."""

from ops.cem.optimize import CEMResult, optimize

__all__ = ["CEMResult", "optimize"]
