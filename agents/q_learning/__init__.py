"""What DQN and R2D2 share: Q-networks and their targets, exploration, priorities."""
