"""The cross-entropy method as TensorFlow ops: batched planners over sequences of actions."""

from ops.cem.ensemble import ensemble_forward
from ops.cem.latent import plan_latent
from ops.cem.latent_model import LatentModel, Layer
from ops.cem.optimize import CEMResult, optimize

__all__ = ["CEMResult", "LatentModel", "Layer", "ensemble_forward", "optimize", "plan_latent"]
