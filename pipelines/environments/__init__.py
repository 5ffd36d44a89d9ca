"""Environments as dm_env; each factory is gin-configurable and is called with `seed` alone.

Simulators are imported when a factory is called, so that importing this package costs little. What
every environment has beyond dm_env, and a new one needs too, tests' shared contract holds: `name`,
`render(height, width)`, `random_state()` and `set_random_state(state)`.
"""

from pipelines.environments.atari import atari
from pipelines.environments.batch import BatchedEnvironment
from pipelines.environments.board_game import board_game
from pipelines.environments.catch import catch
from pipelines.environments.classic_control import classic_control
from pipelines.environments.control_suite import control_suite
from pipelines.environments.pets_tasks import pets_task
from pipelines.environments.rules_game import rules_game
from pipelines.environments.specs import make_environment_spec
from pipelines.environments.waiting import waiting

__all__ = [
    "BatchedEnvironment",
    "atari",
    "board_game",
    "catch",
    "classic_control",
    "control_suite",
    "make_environment_spec",
    "pets_task",
    "rules_game",
    "waiting",
]
