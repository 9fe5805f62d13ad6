"""Benchmarks: each module runs alone with `python -m benchmarks.<name>` and prints what it measured."""
