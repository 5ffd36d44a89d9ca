"""What agents that search a tree at every move have in common: AlphaZero, MuZero."""
