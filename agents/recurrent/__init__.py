"""What IMPALA and R2D2 share: a torso that remembers."""
