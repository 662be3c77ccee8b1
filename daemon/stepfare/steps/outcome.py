"""What a turn turned out to be, told from what it did: the kind that the books keep."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from stepfare.core.request import Tool, ToolCall
from stepfare.core.step import Action, ActionKind, StepFeatures, StepKind
from stepfare.steps.rules import RECOVERABLE
from stepfare.steps.toolmap import action_of, most_demanding
from stepfare.steps.trail import text_calls
from stepfare.steps.trouble import stuck
from stepfare.steps.xml_tools import calls_in

KIND_OF_ACTION: Mapping[ActionKind, StepKind] = {
    ActionKind.LIST: StepKind.EXPLORE,
    ActionKind.READ: StepKind.EXPLORE,
    ActionKind.SEARCH: StepKind.EXPLORE,
    ActionKind.WEB: StepKind.EXPLORE,
    ActionKind.SKILL: StepKind.EXPLORE,
    ActionKind.EDIT: StepKind.EDIT,
    ActionKind.WRITE: StepKind.EDIT,
    ActionKind.TEST: StepKind.RUN,
    ActionKind.RUN: StepKind.RUN,
    ActionKind.OTHER: StepKind.RUN,
    ActionKind.TODO: StepKind.SIDE,
    ActionKind.PLAN: StepKind.PLAN,
    ActionKind.ASK: StepKind.ANSWER,
    ActionKind.DELEGATE: StepKind.ANSWER,
    ActionKind.FINISH: StepKind.SUMMARIZE,
}

_EDIT_BLOCK = re.compile(r"^<{5,9} SEARCH\b", re.MULTILINE)
"""How aider's models write an edit into their text."""


def actions_in_answer(features: StepFeatures, calls: Sequence[ToolCall], text: str, offered: Sequence[Tool] = ()) -> tuple[Action, ...]:
    """What the turn did, call by call; calls written into the text count where the client works that way."""
    if not calls and text and not features.completion:
        if features.client == "cline-classic" or (features.agent_loop and not offered):
            calls = calls_in(text)
        if not calls and features.client == "mini-swe-agent":
            calls = text_calls(text, "bash")
        if not calls and features.client == "aider" and _EDIT_BLOCK.search(text):
            return (Action(ActionKind.EDIT, "SEARCH/REPLACE"),)
    tools = {tool.name: tool for tool in offered}
    return tuple(action_of(call.name, call.arguments, tools.get(call.name)) for call in calls)


def kind_of_answer(features: StepFeatures, calls: Sequence[ToolCall], text: str, offered: Sequence[Tool] = ()) -> StepKind:
    """What a turn turned out to be: its most demanding action, or the place of a plain text in the conversation.

    `calls` are the turn's tool calls, `text` its text, `offered` the tools of its request."""
    return kind_of_actions(features, actions_in_answer(features, calls, text, offered))


def kind_of_actions(features: StepFeatures, actions: Sequence[Action]) -> StepKind:
    """The same for a turn whose actions are known; a text without any is a report or an answer."""
    if features.completion:
        return StepKind.COMPLETE
    if features.side:
        return StepKind.SIDE
    chosen = most_demanding(actions)
    kind = _text_kind(features) if chosen is None else KIND_OF_ACTION[chosen.kind]
    if features.mode == "plan" and (chosen is None or chosen.kind is ActionKind.FINISH):
        kind = StepKind.PLAN
    return StepKind.RECOVER if kind in RECOVERABLE and stuck(features) else kind


def _text_kind(features: StepFeatures) -> StepKind:
    """A text without any action: a report on what was done, or the answer to a question that needed no doing."""
    return StepKind.SUMMARIZE if features.actions_since_human else StepKind.ANSWER
