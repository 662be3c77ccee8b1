"""The daemon's file, which tells where the doors are and what opens them."""

from __future__ import annotations

from stepfare.control.protocol.base import Message


class DaemonFile(Message):
    """`daemon.json`: how to find and to enter the running daemon. The file is readable by its owner alone."""

    protocol: int
    version: str
    pid: int
    port: int
    started_ms: int
    local_token: str
    control_token: str
    host: str = "127.0.0.1"
    """Where this machine reaches the daemon: its own address where it listens on one only."""
