"""Evaluation: the full pass over a snapshot of the store."""
