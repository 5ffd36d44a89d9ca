"""A run over many processes: Ray places and restarts them, Reverb carries the data."""
