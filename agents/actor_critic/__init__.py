"""What A2C and PPO share: a policy with a critic, learned from rollouts that are seen once."""
