"""Metrics that measure the machine and not the run: what two equal runs may differ in."""

TIMES = {
    "wall_clock",
    "actor/steps_per_second",
    "actor/policy_share",
    "actor/environment_share",
    "actor/replay_share",
    "learner/updates_per_second",
    "learner/wait_share",
}
