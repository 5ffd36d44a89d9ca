"""What a run is made of, and how gin's files and bindings become it."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import dm_env
import gin

from agents.builder import Builder
from agents.config import AtLeast, AtMost, Count, Natural, Number, check
from pipelines.configuration import distributed, gin_errors, gin_files, saved_config


@gin.configurable
@dataclasses.dataclass(frozen=True)
class Experiment:
    """A training run, whatever the agent.

    Attributes:
      builder: makes the agent's parts.
      environment: factory, called with `seed=`.
      evaluation_environment: factory of where evaluations play, such as games against a known
        opponent; its observations and actions are those of `environment`. None: `environment`.
      num_episodes: the run's length: episodes to collect, seed episodes included.
      num_steps: its length in environment steps instead; the run ends with the round that gets
        there. None: `num_episodes` decides.
      num_environments: B, environments that act side by side.
      collected_episodes: collected at a time, before it is learned again; None: one in each
        environment. With more, fewer environments stand idle while the longest episode ends. What
        begins among the seed episodes is random to its end.
      evaluation_interval: episodes between evaluations; steps where `num_steps` is set.
      evaluation_episodes: episodes of one evaluation.
      goal: mean return of an evaluation that counts as learned; tables of results say how many
        seeds came to it. None: there is none.
      evaluation_videos: episodes of one evaluation that are filmed.
      context_frames: frames that the model sees before it imagines the rest of a video.
      imagined_frames: how many that are; the further ahead, the more an unstable world must drift.
      keep_policies: the policy of every evaluation stays, as `policy/at_<episodes>` (steps where
        `num_steps` is set), for ratings over training time (`match.py --player=at:N`).
      export_native: policies are saved with the native ops: faster, but only a TensorFlow that has
        loaded this project's libraries can load them.
      export_compiled: XLA compiles the step of saved policies where they are loaded, once for each
        number of rows: a search is faster then, the first calls take long.
      checkpoint_minutes: a checkpoint is due after this time, at most a year; 0: after each
        episode, and after each step of a run that only plans.
      replay_address: 'host:port' of a replay server elsewhere; None: one in this process.
      replay_timeout: seconds that server may stay silent before it is asked whether it lives, and
        as many before it counts as gone; at most a day.
      replay_port: of the server in this process; None: a free one.
      replay_public: that server answers other machines too; whoever reaches the port can read,
        change and empty the tables.
      strategy: on what the learner's updates run. `none`: where TensorFlow puts them; `mirrored`:
        an equal part of each batch on every GPU of this machine, or on `replicas` of them, or of
        its CPU where it has none; `tpu`: on every core of a TPU.
      replicas: of `mirrored`; None: the GPUs there are, or 1.
      tpu_address: of `tpu`: `local` for this machine's own, a TPU's name, or grpc://host:port.
      compile_updates: XLA compiles the updates, for the device that they run on; on a TPU it does
        anyway.
      updates_per_call: so many updates are done in one call, which spares an accelerator the way to
        the host and back; priorities are written behind all of them.
      deterministic: equal seeds give equal weights, bit for bit, as far as the replay's selector
        does; updates are slower.
    """

    builder: Builder | None = None
    environment: Callable[..., dm_env.Environment] | None = None
    evaluation_environment: Callable[..., dm_env.Environment] | None = None
    num_episodes: Count = 1000
    num_steps: Count | None = None
    num_environments: Count = 1
    collected_episodes: Count | None = None
    evaluation_interval: Count = 50
    evaluation_episodes: Count = 10
    goal: Number | None = None
    evaluation_videos: Natural = 1
    context_frames: Count = 5
    imagined_frames: Count = 45
    keep_policies: bool = False
    export_native: bool = False
    export_compiled: bool = False
    checkpoint_minutes: Annotated[float, AtLeast(0), AtMost(525_600)] = 10.0
    replay_address: str | None = None
    replay_timeout: Annotated[float, AtLeast(1), AtMost(86_400)] = 20.0
    replay_port: Annotated[int, AtLeast(1), AtMost(65_535)] | None = None
    replay_public: bool = False
    strategy: Literal["none", "mirrored", "tpu"] = "none"
    replicas: Count | None = None
    tpu_address: str = "local"
    compile_updates: bool = False
    updates_per_call: Count = 1
    deterministic: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.builder, Builder):
            raise ValueError(
                f"Experiment.builder is {self.builder!r}; expected a builder, as in "
                "@PlaNetBuilder()"
            )
        _check_factory("environment", self.environment)
        if self.evaluation_environment is not None:
            _check_factory("evaluation_environment", self.evaluation_environment)
            if not self.builder.make_stages():
                raise ValueError(
                    f"Experiment.evaluation_environment is set, but {self.builder.name} learns "
                    "nothing and is evaluated where it plays; expected Experiment.environment alone"
                )
        check(self)
        if self.replicas is not None and self.strategy != "mirrored":
            raise ValueError(
                f"Experiment.replicas is {self.replicas}, but Experiment.strategy is "
                f"{self.strategy!r}; expected 'mirrored'"
            )
        if self.strategy != "none" and not self.builder.make_stages():
            raise ValueError(
                f"Experiment.strategy is {self.strategy!r}, but {self.builder.name} learns "
                "nothing; expected 'none'"
            )
        if self.collected_episodes is not None and not self.builder.make_stages():
            raise ValueError(
                f"Experiment.collected_episodes is {self.collected_episodes}, but "
                f"{self.builder.name} learns nothing; expected None"
            )


def _check_factory(field: str, factory: Any) -> None:
    if not callable(factory):
        raise ValueError(
            f"Experiment.{field} is {factory!r}; expected an environment's factory, as in "
            "@control_suite"
        )


def parse(paths: Sequence[str], gin_bindings: Sequence[str] = ()) -> Experiment:
    """Reads gin files and bindings, later ones win, and makes the experiment.

    They are code: they may import and call any module.

    Raises:
      UserError: in one line: what is wrong, what was expected, the nearest valid name.
    """
    gin_files.check(paths)
    gin.clear_config()
    for path in paths:
        with gin_errors.as_user_errors(path):
            gin_files.parse(path)
    with gin_errors.as_user_errors("--gin_bindings"), gin_files.included_beside(None):
        gin.parse_config(list(gin_bindings))
        gin_errors.check_macros(gin_bindings)
    return _made()


def parse_text(text: str) -> Experiment:
    """Reads what `gin.config_str` gave in another process of the same run."""
    gin.clear_config()
    gin.parse_config(text)
    return _made()


def distributed_settings() -> distributed.Distributed:
    """What the files say of processes, once they are parsed.

    Raises:
      UserError: a value that cannot be.
    """
    with gin_errors.as_user_errors():
        return distributed.Distributed()


def parse_saved(logdir: str | os.PathLike[str]) -> Experiment:
    """Reads the configuration that a run has left in its log directory, which is no code.

    Raises:
      UserError: it cannot be read, or imports or configures what is not this project's.
    """
    path = pathlib.Path(logdir) / "config.gin"
    text, selectors = saved_config.read(path)
    gin.clear_config()
    with gin_errors.as_user_errors(str(path)):
        gin.parse_config(gin_files.named(text, str(path)))
        saved_config.check_configured(path, selectors)
    return _made()


def _made() -> Experiment:
    with gin_errors.as_user_errors():
        gin.finalize()
        return Experiment()
