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
        return _WORDS[self]

    @classmethod
    def of(cls, word: str) -> Tier:
        """The tier of that name; raises KeyError where there is none."""
        return cls[word.upper()]


_WORDS = tuple(tier.name.lower() for tier in Tier)


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


class Fault(IntEnum):
    """How a call went wrong, mildest first."""

    NONE = 0
    FAILED = 1
    """A command ended badly, or a tool reported an error."""
    BROKEN = 2
    """A test, build or linter ran and found something broken."""
    REFUSED = 3
    """The client did not do what was asked: no such file, the text to replace not found, a patch that does not fit."""
    INVALID = 4
    """The client could not read the call: no such tool, arguments missing or malformed."""


class FileKind(StrEnum):
    """What a file is, as its path tells."""

    SOURCE = "source"
    TEST = "test"
    CONFIG = "config"
    DOCS = "docs"
    DATA = "data"
    SCRATCH = "scratch"
    """Made to try something out: a script that reproduces a fault, anything under a folder for temporary files."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Action:
    """One tool call, understood: its kind, the files it names (as the client wrote them), and the call's own name."""

    kind: ActionKind
    tool: str
    paths: tuple[str, ...] = ()
    failed: bool = False
    programs: tuple[str, ...] = ()
    """Of a shell command: the programs that it runs, git with its verb (`git commit`)."""
    undone: tuple[str, ...] = ()
    """The paths whose changes it throws away (git restore, checkout, reset, stash); `.` stands for all."""
    fault: Fault = Fault.NONE
    result_chars: int = -1
    """How long the result was; -1 where there is none yet."""
    result_lines: int = 0
    """How many lines its beginning has: dense or sparse."""
    argument_chars: int = 0
    """How long the call was."""
    part: bool = False
    """Whether it looked at some lines of a file only."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What says that a session is in trouble, counted since the human's last words."""

    failing_verifications: int = 0
    """Tests, builds and linters that failed in a row since one last passed."""
    reverted_edits: int = 0
    """Edits thrown away by git, or written back by a later edit."""
    invalid_calls: int = 0
    """Calls that the client refused because it could not read them."""
    repeats: int = 0
    """How often in a row the very same call, or pair of calls, brought the very same result again."""
    steps: int = 0
    """Actions so far."""
    failed_row: int = 0
    """How many of the last results in a row were errors."""
    lifted: str = ""
    """Why the session counts as in trouble since some steps ago; empty where it does not, or not any more."""


@dataclass(frozen=True, slots=True)
class EditorFacts:
    """What an editor tells of the workspace. Counts of problems are those of the files that are open."""

    open_files: tuple[str, ...] = ()
    active_file: str = ""
    errors: int = 0
    warnings: int = 0
    errors_change: int = 0
    """How many errors there are more (or, negative, fewer) than at the session's step before."""


@dataclass(frozen=True, slots=True)
class GitFacts:
    """What is seen of the workspace's repository."""

    branch: str = ""
    dirty_files: tuple[str, ...] = ()
    watched_reverts: int = 0
    """How often, since the human's last words, a file that the agent had changed was seen to be as it was before."""


@dataclass(frozen=True, slots=True)
class History:
    """The whole conversation in figures. `*_turn` counts since the human's last words, `*_since_test` and `*_since_edit` since the last
    action of that kind (of the whole conversation; all of it where there was none)."""

    steps: int = 0
    """Turns of the model so far."""
    actions: int = 0
    humans: int = 0
    """How often the human has spoken."""
    edits: int = 0
    edits_turn: int = 0
    edits_since_test: int = 0
    reads_since_edit: int = 0
    reads_since_test: int = 0
    actions_since_edit: int = 0
    actions_since_test: int = 0
    tests_turn: int = 0
    tests_passed: int = 0
    tests_failed: int = 0
    last_test: str = ""
    """passed, failed, or empty before the first."""
    commits_turn: int = 0
    parallel: int = 0
    """How many calls the model's last turn made."""
    text_chars: int = 0
    """The text that the model's last turn wrote beside its calls."""
    human_chars: int = 0
    human_asks: bool = False
    """Whether the human's words end in a question."""
    todo_pending: int = 0
    todo_done: int = 0
    files_edited: int = 0
    files_read: int = 0
    last_file_edits: int = 0
    """How often the file that the last action named was edited before or by it."""
    last_file_reads: int = 0
    scratch_written: int = 0
    """Scripts that were made to try something out."""
    scratch_run: int = 0
    """How often one of them was run."""
    scratch_open: bool = False
    """Whether one was written and has not been run since."""
    source_edits: int = 0
    test_edits: int = 0
    reverts: int = 0
    files_waiting: int = 0
    """Files that were read, by whatever means, and not edited since."""
    chars_since_edit: int = 0
    """How much the results since the last edit said."""
    edit_steps: int = 0
    """Turns of the model that edited."""
    edit_bursts: int = 0
    """Runs of such turns."""
    edit_run: int = 0
    """How many of the last turns in a row edited."""
    likewise: tuple[int, int] = (0, 0)
    """How often this conversation stood as it does now, by its last action, and how often an edit followed."""
    likewise_two: tuple[int, int] = (0, 0)
    """The same by its last two actions."""
    todo_active: bool = False
    """Whether an item of the list is being worked on."""
    wording: tuple[int, ...] = ()
    """How often each family of `steps.wording` stands in what the model wrote last; empty where it has written nothing."""
    text_age: int = -1
    """How many of the model's turns ago that was."""
    named_by_human: bool = False
    """Whether the human's words name the file of the last action."""


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
    trouble: Trouble = Trouble()
    history: History = History()
    max_output_tokens: int | None = None
    """The client's cap on the answer, where it set one."""
    editor: EditorFacts | None = None
    """What the editor tells, where one is there; not of the request."""
    git: GitFacts | None = None
    """What is seen of the repository, where there is one; not of the request."""


@dataclass(frozen=True, slots=True)
class Step:
    """The verdict: what the coming turn is for, how sure that is, and the words that say why."""

    kind: StepKind
    probabilities: Mapping[StepKind, float]
    because: str
    certain: bool = False
    """Whether a rule said so, rather than the learned weights."""
    contributions: tuple[tuple[str, float], ...] = ()
    """What spoke for an edit (positive, in log-odds) or against it, the strongest first, in words for a reader."""
    vector: tuple[float, ...] = ()
    """The features as numbers on which the learned weights stood; empty where a rule said so."""
