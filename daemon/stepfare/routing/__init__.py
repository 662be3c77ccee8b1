"""Deciding, pure: floors, filters, expected cost, failover and health. Nothing here waits, reads a clock, or touches disk or network."""
