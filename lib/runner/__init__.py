"""The runner: the plan's notebooks, executed in order through papermill, each only when something it uses changed.

It stands on top and may import every room.
"""
