"""The door of reports (`report`), and the books told at other prices (`stepfare ledger reprice`)."""

from __future__ import annotations

from typing import Literal

from stepfare.control.protocol.base import Message, Totals

Grouping = Literal["session", "project", "branch", "user", "day", "month", "model", "tier", "kind", "client", "provider"]


class ReportQuestion(Message):
    """What a report is asked for: groups, each within the one before it, from `since_ms` to before `until_ms` (None: to now), of all or of
    one session, workspace or project."""

    by: tuple[Grouping, ...] = ("day",)
    since_ms: int = 0
    until_ms: int | None = None
    session: str | None = None
    workspace: str | None = None
    project: str | None = None


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


class FileSpend(Message):
    """A file of a project, how many steps read or changed it, and its part of what they cost."""

    file: str
    steps: int
    spent_pusd: int


class Files(Message):
    """What was spent on a project's files since a day began (UTC), the dearest first."""

    project: str
    since_ms: int
    files: list[FileSpend]


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
