"""The story: where deciding and doing alternate."""
