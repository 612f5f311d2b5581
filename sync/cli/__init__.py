"""The commands: each parses, calls one function, prints. Results go to stdout, everything else to stderr."""
