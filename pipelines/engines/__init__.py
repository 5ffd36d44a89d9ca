"""Saved policies as players: for people's programs, and against other programs."""
