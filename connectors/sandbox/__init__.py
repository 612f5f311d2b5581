"""What the emulated platforms share: the server, weather, pace, columns, worlds, and the control endpoint that drives them.

A connector and its sandbox import nothing of each other, so that one mistake cannot hide in both.
"""
