"""What the simulator answers to a request: the next move of a believable agent, or plain words."""

from __future__ import annotations

from stepfare.simulator.options import MARK
from stepfare.simulator.reading import Request
from stepfare.simulator.reply import Reply


def play(request: Request) -> Reply:
    """The answer to this request, from the request alone."""
    said = next((message.text for message in reversed(request.messages) if message.role == "user"), "")
    return Reply(f"{MARK}No model read this. You wrote {len(said.split())} words; connect a provider to have them answered.")
