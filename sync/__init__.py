"""One street: ingest → store → evaluate → reconcile → outbox.

Everything here is about contacts, whatever platform they came from.
"""
