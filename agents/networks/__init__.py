"""Network parts shared by agents; all are Sonnet modules."""
