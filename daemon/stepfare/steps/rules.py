"""The certain rules: steps whose kind is known without asking any table. The first that fits decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stepfare.core.step import StepFeatures, StepKind

EMBEDDING = "embedding"
"""How a request for vectors is called among the calls beside a loop."""


@dataclass(frozen=True, slots=True)
class Rule:
    """`because` is a sentence for a reader; `{side}` and `{client}` are filled in."""

    kind: StepKind
    because: str
    when: Callable[[StepFeatures], bool]


RULES: tuple[Rule, ...] = (
    # Order matters: a completion or a side call stays one in whatever mode the client is.
    Rule(StepKind.COMPLETE, "the request came to the inline-completion endpoint", lambda step: step.completion),
    Rule(
        StepKind.SIDE,
        "the request came to the embeddings endpoint: texts become vectors, nothing is said",
        lambda step: step.side == EMBEDDING,
    ),
    Rule(StepKind.SIDE, "{client} makes a call beside its loop ({side}): these are its own words for that", lambda step: bool(step.side)),
    Rule(StepKind.PLAN, "{client} is in plan mode", lambda step: step.mode == "plan"),
    Rule(
        StepKind.EDIT,
        "aider asks for its edits in the text of the answer, whatever else is said in it",
        lambda step: step.client == "aider" and step.agent_loop,
    ),
    Rule(
        StepKind.SUMMARIZE,
        "tools were used before and none are offered now: what is left to do is to report",
        lambda step: not step.agent_loop and step.actions_since_human > 0,
    ),
    Rule(StepKind.ANSWER, "no tools are offered: this is a plain question with no agent loop", lambda step: not step.agent_loop),
)


def certain_rule(step: StepFeatures) -> tuple[StepKind, str] | None:
    """The kind that a rule is certain of, and why; None where the table has to say."""
    for rule in RULES:
        if rule.when(step):
            client = "the client" if step.client == "unknown" else step.client
            return rule.kind, rule.because.format(side=step.side, client=client)
    return None


RECOVERABLE = frozenset({StepKind.EDIT, StepKind.ANSWER, StepKind.PLAN})
"""What becomes a recovery while the session is stuck; looking around and running stay what they are."""
