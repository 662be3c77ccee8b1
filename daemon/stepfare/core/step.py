"""What a step is for, how good a model it needs, and what was seen of the conversation that says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Tier(IntEnum):
    """A quality floor. The order is the contract: a served model is never below its step's floor."""

    FRUGAL = 0
    BALANCED = 1
    PREMIUM = 2

    @property
    def word(self) -> str:
        return self.name.lower()

    @classmethod
    def of(cls, word: str) -> Tier:
        """The tier of that name; raises KeyError where there is none."""
        return cls[word.upper()]


class StepKind(StrEnum):
    """What the turn to come is for."""

    EXPLORE = "explore"
    SUMMARIZE = "summarize"
    SIDE = "side"
    COMPLETE = "complete"
    RUN = "run"
    ANSWER = "answer"
    EDIT = "edit"
    PLAN = "plan"
    RECOVER = "recover"


class ActionKind(StrEnum):
    """What one tool call does, whoever's tool it is."""

    LIST = "list"
    READ = "read"
    SEARCH = "search"
    WEB = "web"
    EDIT = "edit"
    WRITE = "write"
    TEST = "test"
    RUN = "run"
    TODO = "todo"
    SKILL = "skill"
    DELEGATE = "delegate"
    PLAN = "plan"
    ASK = "ask"
    FINISH = "finish"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Action:
    """One tool call, understood: its kind, the files it names (as the client wrote them), and the call's own name."""

    kind: ActionKind
    tool: str
    paths: tuple[str, ...] = ()
    failed: bool = False


@dataclass(frozen=True, slots=True)
class StepFeatures:
    """What is known of a step before its call, without verdicts."""

    client: str
    """Which agent asks: cline, cline-classic, continue, claude-code, codex, aider, ..., or unknown."""
    mode: str
    """act, plan, or empty where the client has no modes."""
    side: str
    """Why this is a side call (title, compaction, ...), or empty."""
    completion: bool
    agent_loop: bool
    """Whether the model can act: tools are offered, natively or in the text."""
    recent: tuple[Action, ...]
    """The last actions of the conversation, oldest first, since the human's last words or before, a handful."""
    actions_since_human: int
    failures: int
    """How many of the last results in a row were errors."""
    files: tuple[str, ...]
    """Files in play, relative to the workspace where they lie inside it: touched of late or named by the human's last words."""
    human_words: str
    """The human's last words, client envelopes stripped, cut to 2,000 characters."""
    workspace: str = ""
    """The folder that the agent works in, absolute; empty where no mark names one."""


@dataclass(frozen=True, slots=True)
class Step:
    """The verdict: what the coming turn is for, how sure that is, and the words that say why."""

    kind: StepKind
    probabilities: Mapping[StepKind, float]
    because: str
    certain: bool = False
    """Whether a rule said so, rather than the table of probabilities."""
