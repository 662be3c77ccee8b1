"""Pointing coding agents at the daemon and back: each client's own settings file, changed as little as can be and restored exactly."""
