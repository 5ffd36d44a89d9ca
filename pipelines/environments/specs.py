"""An environment's specs as Acme's networks, adders and losses take them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import dm_env
    from acme import specs

    from pipelines.environments.batch import BatchedEnvironment


def make_environment_spec(
    environment: dm_env.Environment | BatchedEnvironment,
) -> specs.EnvironmentSpec:
    """Returns the specs of one environment; a batch gives those of its elements."""
    from acme import specs

    return specs.EnvironmentSpec(
        observations=environment.observation_spec(),
        actions=environment.action_spec(),
        rewards=environment.reward_spec(),
        discounts=environment.discount_spec(),
    )
