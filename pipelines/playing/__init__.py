"""A person plays a game and a model's imagination of it side by side, in a terminal."""
