"""The messages of the control API, the same for HTTP, `--json` and the language server. Nothing here knows the daemon.

Money is an integer of picodollars (`*_pusd`), times are milliseconds since the epoch (`*_ms`). Readers ignore fields that
they do not know; `PROTOCOL` grows when a reader could no longer do that.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

PROTOCOL = 1

TierName = Literal["frugal", "balanced", "premium"]


class Message(BaseModel):
    """A message of ours: frozen, lenient towards fields of a newer daemon."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Bucket(Message):
    """One slice of a total: how many steps, what they cost."""

    steps: int = 0
    spent_pusd: int = 0


class Totals(Message):
    """Sums over settled steps. `spent`, `reserved` and `lost` are disjoint. The two `always_*` say what the same work would
    have cost on one model with a warm cache; `switch_writes` is what was paid to write a cache because the model changed.

    `unpriced_tokens` are tokens, in and out, that no price is known for. `estimated` is the part of `spent` whose usage no provider
    reported, and its bounds. `escalations` counts answers that the gate dropped, `escalated` is what they cost."""

    steps: int = 0
    spent_pusd: int = 0
    reserved_pusd: int = 0
    lost_pusd: int = 0
    unpriced_steps: int = 0
    always_premium_pusd: int = 0
    always_balanced_pusd: int = 0
    switch_writes_pusd: int = 0
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    unpriced_tokens: int = 0
    estimated_pusd: int = 0
    estimated_low_pusd: int = 0
    estimated_high_pusd: int = 0
    escalations: int = 0
    escalated_pusd: int = 0
    by_tier: dict[str, Bucket] = Field(default_factory=dict[str, Bucket])
    by_model: dict[str, Bucket] = Field(default_factory=dict[str, Bucket])
    by_kind: dict[str, Bucket] = Field(default_factory=dict[str, Bucket])


class Glance(Message):
    """What a status bar shows: one session (None: there is none such), and today. `spent_pusd` is None where nothing of it has a price,
    `saved_pusd` is against always premium, `tier` that of the last step; `severity` says how the session's budgets stand."""

    mode: Literal["live", "simulator"]
    today_pusd: int
    session: str | None = None
    spent_pusd: int | None = None
    saved_pusd: int = 0
    tier: TierName | None = None
    severity: Literal["info", "warning", "error"] = "info"


Grouping = Literal["session", "project", "branch", "user", "day", "month", "model", "tier", "kind", "client", "provider"]


class ReportRow(Message):
    """Totals of one combination of names, one for each group that was asked for. Saved is what a baseline would have cost more
    (negative: less), `cache_hit_rate` the share of the prompts' tokens that was read from caches, `pusd_per_million_tokens` what a
    million tokens cost on average, in and out, of those that have a price. The parts by tier, model and kind are left out."""

    names: list[str]
    totals: Totals
    saved_on_premium_pusd: int
    saved_on_balanced_pusd: int
    cache_hit_rate: float | None = None
    pusd_per_million_tokens: int | None = None


class Report(Message):
    """What was spent from `since_ms` to before `until_ms`, by these groups. `whole` has no names; the rows make it up."""

    by: list[Grouping]
    since_ms: int = 0
    until_ms: int | None = None
    rows: list[ReportRow]
    whole: ReportRow


class Warm(Message):
    """A model that is believed to hold part of the session's prompt in its cache."""

    model: str
    tokens: int
    until_ms: int


OnLimit = Literal["ask", "frugal", "stop"]
ScopeName = Literal["session", "project", "day", "month", "team"]


class Cap(Message):
    """A limit on spending and how it stands. `subject` is the session's id or the project's folder; empty for a day and a month.

    `cap_pusd` includes `extended_pusd`, which was added once; `spent_pusd` includes what was lost sight of in a crash. `source` is file
    and line of the setting, `since_ms` the begin of the day or month (0 for a session)."""

    scope: ScopeName
    subject: str = ""
    cap_pusd: int
    extended_pusd: int = 0
    spent_pusd: int
    reserved_pusd: int
    left_pusd: int
    burn_pusd_per_hour: int = 0
    warn_at: float = 0.8
    warned: bool = False
    on_limit: OnLimit = "ask"
    source: str = ""
    since_ms: int = 0


class Budget(Message):
    """The caps that hold for a session: the lowest of each scope, and all of them with what is used. A project's is one of a day."""

    session_pusd: int | None = None
    project_day_pusd: int | None = None
    day_pusd: int | None = None
    month_pusd: int | None = None
    warn_at: float = 0.8
    on_limit: OnLimit = "ask"
    caps: list[Cap] = Field(default_factory=list[Cap])


class Proposal(Message):
    """A sum by which a cap could be extended."""

    scope: ScopeName
    subject: str = ""
    pusd: int


class Question(Message):
    """A budget left no room for a step of this session, whose user was asked. The session goes on when each proposal is taken up."""

    session: str
    client: str = ""
    workspace: str = ""
    at_ms: int
    words: str
    proposals: list[Proposal]


class Extension(Message):
    """What a person added to a cap, once."""

    id: str
    at_ms: int
    scope: ScopeName
    subject: str = ""
    pusd: int
    by: str = ""


class Extend(Message):
    """Add so much to a cap, once: for the life of a session, or until the day or month is over. The same `id` twice adds nothing twice."""

    pusd: int = Field(gt=0, le=10**18)
    id: str = Field(default="", max_length=100)
    by: str = Field(default="", max_length=40)


class Budgets(Message):
    """Every cap in force, the open questions, and what was added this month."""

    caps: list[Cap] = Field(default_factory=list[Cap])
    questions: list[Question] = Field(default_factory=list[Question])
    extensions: list[Extension] = Field(default_factory=list[Extension])
    burn_pusd_per_hour: int = 0


class Session(Message):
    """One task of one agent."""

    id: str
    title: str = ""
    client: str = ""
    parent: str | None = None
    merged: list[str] = Field(default_factory=list[str])
    """Ids of the sessions that were merged into it."""
    workspace: str = ""
    project: str = ""
    branch: str = ""
    repository: str = ""
    """The owner and name of the remote, or else the repository's folder."""
    started_ms: int
    last_ms: int
    totals: Totals
    burn_pusd_per_hour: int = 0
    pin: TierName | None = None
    budget: Budget | None = None
    warm: list[Warm] = Field(default_factory=list[Warm])


class Rename(Message):
    """A session's name; an empty one gives it back the title that it began with."""

    title: str = Field(max_length=200)


class Merge(Message):
    """The session that another one becomes part of."""

    into: str


class SplitAt(Message):
    """The step, counted from 1 as they are listed, from which on a session is one of its own."""

    step: int = Field(ge=1)


class Pin(Message):
    """The tier that serves every coming step of a session; null gives the choice back."""

    tier: TierName | None = None


class Said(Message):
    """The session as it is shown after it was renamed, merged, taken out, pinned or split: for a split, the new one."""

    session: str


class ProviderState(Message):
    """Whether a provider is in use: ok, resting (until its breaker closes), no-key."""

    id: str
    state: str
    since_ms: int
    why: str = ""


class Problem(Message):
    """Something wrong in a file that a person wrote. `line` and `column` count from 1; 0 where there is none."""

    source: str
    line: int = 0
    column: int = 0
    severity: Literal["error", "warning"] = "error"
    words: str


class Overview(Message):
    """The present state, and the number of the last event that it includes."""

    protocol: int = PROTOCOL
    version: str
    seq: int
    started_ms: int
    mode: Literal["live", "simulator"]
    today: Totals
    sessions: list[Session]
    providers: list[ProviderState]
    problems: list[Problem]
    budgets: list[Cap] = Field(default_factory=list[Cap])
    """The caps that hold whoever works: those of the day and of the month."""
    questions: list[Question] = Field(default_factory=list[Question])
    """What budgets ask, the newest first."""


class StepUsage(Message):
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    audio_tokens: int = 0
    web_searches: int = 0


class Attempt(Message):
    """One try at one model."""

    id: str
    model: str
    outcome: str
    cost_pusd: int | None = None
    first_byte_ms: int | None = None
    total_ms: int | None = None


class Step(Message):
    """One step: what it was, who served it, why, and what it cost (null while open or unpriced)."""

    decision: str
    session: str
    at_ms: int
    kind: str
    predicted: str
    probabilities: dict[str, float] = Field(default_factory=dict[str, float])
    floor: TierName
    floor_source: str
    tier: TierName | None = None
    model: str | None = None
    attempts: list[Attempt]
    usage: StepUsage | None = None
    cost_pusd: int | None = None
    cost_source: str | None = None
    cost_confidence: str = ""
    """certain, likely, guess, or none (unpriced); empty while open, and where the entry is older than that it was said."""
    cost_low_pusd: int | None = None
    cost_high_pusd: int | None = None
    """The bounds of an estimate, of the last attempt."""
    doubts: list[str] = Field(default_factory=list[str])
    """Why the cost is less than certain, in words."""
    service: str = ""
    """What the call was served as where that is not the usual service: flex, priority, fast."""
    escalated: bool = False
    held_ms: int = 0
    because: list[str] = Field(default_factory=list[str])


class SessionDetail(Message):
    session: Session
    steps: list[Step]


class Sessions(Message):
    sessions: list[Session]


class Floor(Message):
    tier: TierName
    source: str
    words: str


class CostLine(Message):
    what: str
    tokens: int
    rate: int
    pusd: int


class Candidate(Message):
    model: str
    tier: TierName
    expected_pusd: int | None
    arithmetic: list[CostLine] = Field(default_factory=list[CostLine])


class Rejection(Message):
    model: str
    reason: str
    words: str


class Gate(Message):
    """`needs` is the tier of an edit; `hold_ms` how long an answer is held at most."""

    on: bool = False
    needs: TierName | None = None
    hold_ms: int = 0


class Contribution(Message):
    """Something that was seen of the session, in words, and by how much (in log-odds) it speaks for an edit, or against it."""

    words: str
    log_odds: float


class Decision(Message):
    """Why a model: evidence, floor, candidates with expected cost, rejections. `id` is null for a dry run."""

    id: str | None
    session: str
    kind: str
    probabilities: dict[str, float] = Field(default_factory=dict[str, float])
    contributions: list[Contribution] = Field(default_factory=list[Contribution])
    """The strongest first."""
    floor: Floor
    candidates: list[Candidate]
    rejections: list[Rejection]
    gate: Gate = Field(default_factory=Gate)
    floors: dict[str, Floor] = Field(default_factory=dict[str, Floor])
    """What each kind of turn needs in this step."""
    chosen: str | None
    because: list[str]


class Decide(Message):
    """A dry run: a request in, the decision out, nothing sent."""

    dialect: Literal["openai", "responses", "anthropic"] = "openai"
    headers: dict[str, str] = Field(default_factory=dict[str, str])
    body: dict[str, Any]
    workspace: str | None = None
    earlier: list[dict[str, Any]] = Field(default_factory=list[dict[str, Any]])


class ReplayFigures(Message):
    """What sessions cost in replay, in dollars. Shares are of always-balanced, null where that cost nothing; parts add up to the whole."""

    sessions: int
    steps: int
    always_balanced_usd: float
    always_premium_usd: float
    always_frugal_usd: float
    policy_usd: float
    optimum_usd: float
    switch_writes_usd: float
    """Paid for writing on one model what the model before it still held warm."""
    share_of_balanced: float | None
    optimum_share: float | None
    worst_session: float | None
    """The highest share of always-balanced that a session cost, and which one that was."""
    worst_session_id: str
    sessions_above_102: int
    excess_share: float
    """What the sessions above 1.02 x always-balanced cost beyond that, as a part of the policy's spend."""
    edits_below_floor: int
    escalations: int
    pings: int = 0
    """Calls that did nothing but keep a cache alive in a pause."""
    booked_usd: float | None = None
    """What these sessions really cost, where our own books say so of every step."""
    policy_parts_usd: dict[str, float] = Field(default_factory=dict[str, float])
    optimum_parts_usd: dict[str, float] = Field(default_factory=dict[str, float])


class ReplayedStep(Message):
    """One step in replay: what it turned out to be and to need, who was asked in vain, who answered, and what that cost; beside it who
    really served it, and at what cost, where our own books say so."""

    at_ms: int
    kind: str
    needs: TierName
    probes: list[str]
    model: str
    tier: TierName
    usd: float
    booked_tier: TierName | None = None
    booked_usd: float | None = None


class Replay(Message):
    """What a policy would have cost. `sets` holds one table for each price set, by agent (or by project); `totals` the sums of each set;
    `lifetimes_free` the same as `sets` with caches opened for five minutes or an hour, `without_pings` the same with no call between the
    steps, both against the same always-balanced."""

    policy: str
    profile: str
    floors: str
    """edits (only edits and writes need more than frugal) or profile (each kind what the profile says)."""
    lifetime: str
    merged: bool
    left_out: int
    """Sessions of which too little is known."""
    unreadable: int = 0
    """Lines that hold no session."""
    sets: dict[str, dict[str, ReplayFigures]]
    totals: dict[str, ReplayFigures]
    lifetimes_free: dict[str, dict[str, ReplayFigures]] = Field(default_factory=dict[str, dict[str, ReplayFigures]])
    without_pings: dict[str, dict[str, ReplayFigures]] = Field(default_factory=dict[str, dict[str, ReplayFigures]])
    steps: dict[str, list[ReplayedStep]] = Field(default_factory=dict[str, list[ReplayedStep]])
    """Of each set, the steps of a single session where they were asked for."""


class Share(Message):
    """A share, and the bounds between which it lies in 95 of 100 draws of as many sessions."""

    share: float
    low: float
    high: float


class AuditedSession(Message):
    """One session: what was booked (null where a step is unpriced), and by the cost model what was routed, and what else it might have
    cost."""

    id: str
    agent: str
    steps: int
    booked_usd: float | None
    routed_usd: float
    always_balanced_usd: float
    always_premium_usd: float
    shuffled_usd: float
    """The same tiers dealt to its steps at random."""


class Audit(Message):
    """Whether routing helped on the user's own sessions. `saved` is the part of always-balanced that was not spent, `beside_chance` the
    part of it by which the same tiers cost more when they are dealt to the steps at random."""

    verdict: Literal["helped", "did not help", "no evidence"]
    because: str
    steps: int
    booked_usd: float | None
    routed_usd: float
    always_balanced_usd: float
    always_premium_usd: float
    shuffled_usd: float
    saved: Share
    saved_of_premium: Share
    beside_chance: Share
    seed: int
    left_out: int
    """Sessions of which too little is known."""
    sessions: list[AuditedSession]


class LearnedFigures(Message):
    """How well weights foretold steps that were held back: the loss in nats a step (less is better), and the chance that a step that
    edits is ranked above one that does not (null where all or none of them edit)."""

    log_loss: float
    auc_edit: float | None = None


class Learned(Message):
    """What came of learning from the user's own sessions. `verdict` is better, not-better, too-little or forgotten; `kept` says whether
    the weights were written. `daemon` is reloaded, not-running, or empty where nothing changed."""

    verdict: Literal["better", "not-better", "too-little", "forgotten"]
    kept: bool
    because: str
    sessions: int = 0
    steps: int = 0
    held_back_steps: int = 0
    shipped: LearnedFigures | None = None
    own: LearnedFigures | None = None
    file: str = ""
    daemon: str = ""


class RepricedModel(Message):
    """What was booked of a model's settled attempts, and what another price table says of the same usage. `model` is empty for all
    together. Only attempts that both price are compared; of `booked_pusd` the parts `billed_pusd` and `estimated_pusd` are what
    providers billed and what was estimated."""

    model: str
    attempts: int
    booked_pusd: int
    repriced_pusd: int
    difference_pusd: int
    billed_pusd: int
    estimated_pusd: int
    newly_priced_attempts: int
    newly_priced_pusd: int
    not_priced_attempts: int
    not_priced_booked_pusd: int


class RepricedLedger(Message):
    """`stepfare ledger reprice`: the books at the prices of another table (`catalogue` names it), models with the greatest difference
    first. `since_ms` is 0 for the beginning."""

    catalogue: str
    since_ms: int
    models: list[RepricedModel]
    total: RepricedModel


class PriceRow(Message):
    """One row of the price table, in picodollars per token (`web_search`: per search of the web that the provider makes). `service` is
    what it is the price of where that is not the usual service."""

    input: int
    cache_read: int
    cache_write: int
    cache_write_1h: int
    output: int
    audio: int | None = None
    web_search: int | None = None
    service: str = ""
    above_tokens: int = 0
    from_ms: int = 0
    hours: str = ""


class ModelInfo(Message):
    """A model of the catalogue as it is in play here. `state` is in-play, no-key or not-chosen, and `why` says so in words."""

    id: str
    provider: str
    tier: TierName
    context_tokens: int
    max_output_tokens: int
    capabilities: list[str]
    prices: list[PriceRow]
    price_now: PriceRow | None
    price_source: str = ""
    price_as_of: str = ""
    state: str
    why: str
    tier_source: str = ""
    """Who says that it is of this tier: catalogue, config.toml:14, found on this machine, ..."""
    quirks: list[str] = Field(default_factory=list[str])
    """What is particular about it, each in words that complete "this model ..."."""


class ProviderInfo(Message):
    """A provider of the catalogue. `state` is in-use, no-key, no-address, or for servers of this machine found and not-found; `why`
    says so in words, with what to do. `key` says where its key is looked for, never what it is."""

    id: str
    state: str
    why: str = ""
    dialects: list[str] = Field(default_factory=list[str])
    """What it is spoken to in, its front door first."""
    base_url: str = ""
    key: str = ""
    local: bool = False
    cache: str = ""
    """How it caches prompts, in words; empty where nothing is known."""
    quirks: list[str] = Field(default_factory=list[str])


class TierInfo(Message):
    """Who serves the steps of a floor, in the order of the catalogue; `why` says what to do where nobody does."""

    tier: TierName
    models: list[str]
    why: str = ""


class Prices(Message):
    """The catalogue: every model of the providers in use, or of all providers where asked."""

    catalogue: str
    models: list[ModelInfo]
    as_of: str = ""
    """The day of the prices."""
    tiers: list[TierInfo] = Field(default_factory=list[TierInfo])
    providers: list[ProviderInfo] = Field(default_factory=list[ProviderInfo])
    """All of them, whether in use or not."""


class EditorDocument(Message):
    path: str
    errors: int = 0
    warnings: int = 0


class Workspace(Message):
    """A workspace as editor and daemon know it. Paths are relative to the root; nothing outside it is kept."""

    id: str = ""
    root: str
    branch: str = ""
    trusted: bool = True
    active: str = ""
    documents: list[EditorDocument] = Field(default_factory=list[EditorDocument])
    dotfile: str | None = None
    problems: list[Problem] = Field(default_factory=list[Problem])
    today: Totals = Field(default_factory=Totals)
    last_session: Session | None = None


class Event(Message):
    """One line of the feed: `seq` grows by one; `kind` is decided, posted, health, settings or budget."""

    seq: int
    kind: str
    at_ms: int
    session: str | None = None
    step: Step | None = None
    overview: Overview | None = None
    words: str = ""


class Reloaded(Message):
    problems: list[Problem]


class Failure(Message):
    """What the control API answers when it cannot do what was asked."""

    error: str
    words: str


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
