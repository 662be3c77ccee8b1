"""What is seen of an answer while it comes: its calls as far as they are known, each with the floor that it needs.

What becomes of the answer is the business of `gate`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from stepfare.core.decision import Floor, GatePlan
from stepfare.core.prompt import ToolOffer
from stepfare.core.request import Tool, ToolCall
from stepfare.core.step import Action, StepFeatures
from stepfare.dialects.base import StreamEvent, TextDelta, ToolCallDelta, ToolCallStarted
from stepfare.dialects.heard import Heard
from stepfare.routing.arguments import flaw_of, is_whole
from stepfare.routing.gate import CallSeen, Seen
from stepfare.routing.policy import floor_of_action
from stepfare.routing.snapshot import Snapshot
from stepfare.steps.outcome import actions_in_answer, kind_of_actions
from stepfare.steps.toolmap import kind_so_far
from stepfare.steps.trail import text_calls
from stepfare.steps.xml_tools import NAMES

TELLING_CHARS_MAX = 512
"""Arguments that say what a call does say so at their beginning."""
_XML, _BASH, _EDITS = "xml", "bash", "edits"
_MAY_CALL: Mapping[str, re.Pattern[str]] = {
    _XML: re.compile(rf"(?:^|(?<=[\n\r>]))[ \t]*<(?:(?:{'|'.join(NAMES)})>(?=\s*(?:<|\Z))|[a-z_]*\Z)"),
    _BASH: re.compile(r"```(?:bash|sh|mswea_bash_command)\s*\n|`{1,3}[a-z_]*\Z"),
    _EDITS: re.compile(r"^<{5,9} SEARCH\b|^<{1,9}(?: S?E?A?R?C?)?\Z", re.MULTILINE),
}
"""Where in a text a call begins, or may be about to."""
_TELLING: Mapping[str, str] = {_XML: ">", _BASH: "`\n", _EDITS: "H"}
"""Characters of which a text has one, if more is known of a call in it than before."""


@dataclass(frozen=True)
class Measure:
    """What an answer is measured by. `files` makes paths relative to the project's folder; `offers` reads the request's tools."""

    plan: GatePlan
    features: StepFeatures
    offered: Sequence[Tool]
    snapshot: Snapshot
    files: Callable[[tuple[str, ...]], tuple[str, ...]]
    offers: Callable[[], Mapping[str, ToolOffer]]
    one_call: bool = False

    @cached_property
    def tools(self) -> Mapping[str, Tool]:
        return {tool.name: tool for tool in self.offered}

    @cached_property
    def known(self) -> Mapping[str, ToolOffer]:
        return self.offers()

    @property
    def protocol(self) -> str:
        """How calls are written into the text where no tools are offered; empty where they are."""
        if self.offered or not self.features.agent_loop:
            return ""
        return {"mini-swe-agent": _BASH, "aider": _EDITS}.get(self.features.client, _XML)

    def judged(self, call: ToolCall, *, whole: bool, written: bool) -> CallSeen:
        """This call. `written` says that it stands in a text, where no schema tells what it must hold."""
        if not whole:
            kind = kind_so_far(call.name, call.arguments, self.tools.get(call.name))
            return CallSeen() if kind is None else CallSeen(self.plan.floors[kind_of_actions(self.features, (Action(kind, call.name),))])
        flaw = "" if written else flaw_of(call, self.known)
        return CallSeen(self._floor((call,), ""), whole, flaw)

    def needed(self, heard: Heard) -> Floor:
        """What a finished answer needs."""
        return self._floor(heard.calls, heard.text)

    def _floor(self, calls: Sequence[ToolCall], text: str) -> Floor:
        actions = actions_in_answer(self.features, calls, text, self.offered)
        paths = tuple(dict.fromkeys(path for action in actions for path in action.paths))
        return floor_of_action(kind_of_actions(self.features, actions), self.files(paths), self.plan.floors, self.snapshot)


class Sight:
    """Follows one answer. `heard` is what was heard of it, `hear` says that it has grown."""

    def __init__(self, measure: Measure, heard: Heard) -> None:
        self.measure = measure
        self._heard = heard
        self._protocol = measure.protocol
        self._calls: list[CallSeen] = []

    def hear(self, events: Iterable[StreamEvent]) -> None:
        for event in events:
            match event:
                case ToolCallStarted():
                    self._look()
                case ToolCallDelta(_, arguments):
                    if arguments.rstrip().endswith("}") or self._is_telling():
                        self._look()
                case TextDelta(text):
                    if self._protocol and any(char in text for char in _TELLING[self._protocol]):
                        self._read()
                case _:
                    pass

    def seen(self, *, shown: bool, held_ms: int, text_ms: int, held_bytes: int, ended: bool = False) -> Seen:
        """What is known at this moment. `ended` says that nothing more comes."""
        finished = ended or bool(self._heard.finished)
        if finished:
            self._read(ended=True) if self._protocol else self._look(ended=True)
        return Seen(
            calls=tuple(self._calls),
            text_chars=self._heard.text_chars,
            may_call_in_text=bool(self._protocol),
            finished=finished,
            needs=self.measure.needed(self._heard) if finished and not self._calls else None,
            one_call=self.measure.one_call,
            shown=shown,
            held_ms=held_ms,
            text_ms=text_ms,
            held_bytes=held_bytes,
        )

    def call_at(self) -> int | None:
        """From which character of the text on a call stands there, or may be about to; None where none does."""
        found = _MAY_CALL[self._protocol].search(self._heard.text) if self._protocol else None
        return None if found is None else found.start()

    def _is_telling(self) -> bool:
        """Whether a call has only begun of which nothing is known yet: its first words may tell."""
        return any(one.floor is None for one in self._calls) and self._heard.argument_chars <= TELLING_CHARS_MAX

    def _look(self, *, ended: bool = False) -> None:
        """The calls that were made as calls."""
        for place, call in enumerate(self._heard.calls):
            if place < len(self._calls) and self._calls[place].whole:
                continue
            tool = self.measure.known.get(call.name) if call.arguments else None
            whole = ended or (not (tool is not None and tool.custom) and bool(call.name) and is_whole(call.arguments))
            self._put(place, self.measure.judged(call, whole=whole, written=False))

    def _read(self, *, ended: bool = False) -> None:
        """The calls that stand in the text."""
        text = self._heard.text
        if self._protocol == _EDITS:
            floor = self.measure.needed(self._heard)
            if _MAY_CALL[_EDITS].search(text) is not None:
                self._put(0, CallSeen(floor, whole=ended))
            return
        for place, call in enumerate(text_calls(text, self._protocol)):
            if place < len(self._calls) and self._calls[place].whole:
                continue
            whole = ended or (_closed(text, call.name) if self._protocol == _XML else "\n```" in text[text.find("```") + 3 :])
            self._put(place, self.measure.judged(call, whole=whole, written=True))

    def _put(self, place: int, call: CallSeen) -> None:
        if place < len(self._calls):
            self._calls[place] = call
        else:
            self._calls.append(call)


def _closed(text: str, name: str) -> bool:
    return text.rfind(f"</{name}>") > text.rfind(f"<{name}>")
