"""What segmentd costs: one line per figure, against a bar, as ratios wherever that is possible.

    python -m benchmarks            all of it; BENCH_FAST=1 leaves out what takes minutes
    python -m benchmarks.NAME       one of it
"""
