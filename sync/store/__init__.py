"""The record: SQLite in WAL mode, synchronous=FULL, one writer on the machine, readers with `mode=ro`."""
