"""A desk at which agents ask and are answered, so that sessions can be told apart as they live: every entry is kept for a fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stepfare.core.digest import reply_digest
from stepfare.core.entry import Entry, Opened, Reserved, Settled, Voided
from stepfare.core.money import Usage
from stepfare.dialects.table import DIALECTS
from stepfare.sessions.identify import Beginning, Identity, identify
from stepfare.sessions.index import SessionIndex
from stepfare.steps.beginnings import beginning_of
from tests.sessions.speaking import Message, assistant, body_of, tool, user

__all__ = ["Desk", "Message", "Step", "assistant", "state_of", "tool", "user"]


@dataclass
class Step:
    """A call that was let in: which session and step it became, and what is still open of it."""

    identity: Identity
    session: str
    number: int
    reserved: Reserved


@dataclass
class Desk:
    index: SessionIndex = field(default_factory=SessionIndex)
    entries: list[Entry] = field(default_factory=list)
    now_ms: int = 1_000_000
    attempts: int = 0
    opened: int = 0
    speaks: str = "openai"
    """The format in which agents ask here."""

    def post(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.index.apply(entry)

    def ask(
        self,
        messages: Sequence[Message],
        *,
        headers: Mapping[str, str] | None = None,
        client: str = "cline",
        workspace: str = "/ws",
        side: str = "",
        model: str = "lab/small",
        **fields: object,
    ) -> Step:
        """A request comes in and is reserved, as the runtime does it."""
        self.now_ms += 1000
        view = DIALECTS[self.speaks].read_request(body_of(self.speaks, messages, **fields), headers or {})
        began = beginning_of(view, client)
        beginning = Beginning(reply_digest(began.words), began.rewritten)
        found = identify(view, self.index, client=client, workspace=workspace, side=side, now_ms=self.now_ms, beginning=beginning)
        session = found.session
        if not session:
            self.opened += 1
            session = f"s{self.opened}"
        known = self.index.get(session)
        if known is None:
            self.post(Opened(session, self.now_ms, client, workspace, workspace, "main", "title", found.parent, begins=beginning.words))
        number = found.step or (known.steps if known else 0) + 1
        self.attempts += 1
        reserved = Reserved(
            attempt=f"a{self.attempts}",
            decision=f"d{self.attempts}",
            session=session,
            step=number,
            at_ms=self.now_ms,
            model=model,
            tier="frugal",
            kind="side" if side else "explore",
            floor="frugal",
            floor_source="settings",
            ceiling_pusd=1000,
            client=client,
            turns=len(view.turns),
            chain=found.chain,
            tail=found.tail,
            body=view.body_digest.hex(),
            body_bytes=len(view.raw),
            side=side,
        )
        self.post(reserved)
        return Step(found, session, number, reserved)

    def answer(
        self,
        step: Step,
        text: str = "",
        *call_ids: str,
        outcome: str = "ok",
        usage: Usage | None = None,
        source: str = "usage-priced",
        tasks: tuple[str, ...] = (),
    ) -> Step:
        self.now_ms += 1000
        self.post(
            Settled(
                attempt=step.reserved.attempt,
                session=step.session,
                at_ms=self.now_ms,
                outcome=outcome,
                kind="explore",
                usage=usage or Usage(step.reserved.body_bytes // 4, output_tokens=10),
                cost_pusd=100,
                source=source,
                rates=None,
                catalogue="c",
                call_ids=call_ids,
                reply=reply_digest(text),
                tasks=tuple(map(reply_digest, tasks)),
                committed=True,
            )
        )
        return step

    def void(self, step: Step, outcome: str = "busy") -> Step:
        self.now_ms += 1000
        self.post(Voided(step.reserved.attempt, step.session, self.now_ms, outcome, "no"))
        return step

    def say(self, messages: Sequence[Message], text: str = "", *call_ids: str, **how: Any) -> Step:
        """Ask and be answered."""
        return self.answer(self.ask(messages, **how), text, *call_ids)


def state_of(index: SessionIndex) -> Mapping[str, Any]:
    """All that an index remembers, to be compared."""
    return {name: value for name, value in vars(index).items() if name != "_cache_rule_of"}
