"""What A2C, PPO and IMPALA share: a policy with a critic, and rollouts that are seen once."""
