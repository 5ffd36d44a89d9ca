"""The cross-entropy method as TensorFlow ops: batched planners over sequences of actions."""

from ops.cem.latent import plan_latent
from ops.cem.latent_model import LatentModel, Layer
from ops.cem.optimize import CEMResult, optimize

__all__ = ["CEMResult", "LatentModel", "Layer", "optimize", "plan_latent"]
