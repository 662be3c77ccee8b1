"""The table of clients that can be connected. To add one: a module with its CLIENT, and a row here."""

from __future__ import annotations

from stepfare.cli.connect import aider, claude_code, cline, cline_classic, codex, continue_dev, kilo, mini_swe_agent, opencode, qwen
from stepfare.cli.connect.place import Client, World

CLIENTS: tuple[Client, ...] = (
    cline.CLIENT,
    cline_classic.CLIENT,
    continue_dev.CLIENT,
    claude_code.CLIENT,
    codex.CLIENT,
    aider.CLIENT,
    opencode.CLIENT,
    kilo.CLIENT,
    qwen.CLIENT,
    mini_swe_agent.CLIENT,
)


def names() -> list[str]:
    """Every name that a user may give, in the order of the table."""
    return list(dict.fromkeys(name for client in CLIENTS for name in client.names))


def meant_by(name: str, world: World) -> tuple[Client, ...]:
    """The clients that this name means here: those of the name that are found, or its first; empty for an unknown name."""
    called = tuple(client for client in CLIENTS if name in client.names)
    return tuple(client for client in called if client.trace(world)) or called[:1]


def called(name: str) -> tuple[Client, ...]:
    """Every client of this name, found or not."""
    return tuple(client for client in CLIENTS if name in client.names)
