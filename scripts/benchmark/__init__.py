"""What scripts/bench.py is made of: the fake upstream, the bare pass-through, the load, and one module per measurement."""
