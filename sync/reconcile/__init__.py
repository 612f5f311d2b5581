"""Desired minus actual, judged by guards, sent through the outbox."""
