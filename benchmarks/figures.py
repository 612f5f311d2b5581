"""One line per figure: name, measured, bar, verdict."""

from __future__ import annotations


def figure(name: str, measured: float, bar: float, unit: str = "") -> bool:
    """Print the aligned line of a figure that should be at most *bar*; whether it is."""
    held = measured <= bar
    numbers = f"measured {_shown(measured):>9}{unit:<5}  bar {_shown(bar):>7}{unit:<5}"
    print(f"{name:<44}  {numbers}  {'ok' if held else 'short'}", flush=True)
    return held


def _shown(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.3g}" if abs(number) < 0.1 else f"{number:.2f}"
