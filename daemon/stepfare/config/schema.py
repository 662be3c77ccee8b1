"""The two files that a person writes, key by key: `config.toml` (the user's own settings) and `.stepfare.toml` (a project's wishes).

The descriptions here are what the editor shows on hover and what the JSON Schema carries. What is done with a file that does not fit
is the business of `check`; what a project's file means for a step, of `dotfile`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, StringConstraints
from pydantic_core import PydanticCustomError

from stepfare.config.globs import GLOB_CHARS_MAX
from stepfare.config.profiles import DEFAULT_PROFILE, RESERVED_NAMES
from stepfare.config.written import BaseUrl, Day, Dollars, Hours, KeyReference, LedgerUrl, Listed, PathGlob, Rate, Share
from stepfare.core.decision import HOLD_MS
from stepfare.core.step import StepKind, Tier

TEXT_CHARS_MAX = 1024
ITEMS_MAX = 500

TierName: TypeAlias = Literal["frugal", "balanced", "premium"]
BillingName: TypeAlias = Literal["tokens", "subscription", "free"]
_BILLING = "tokens (at its prices), subscription (by the month: never shown as dollars, held up by no budget), or free."
OnLimit: TypeAlias = Literal["ask", "frugal", "stop"]
Words = Annotated[StrictStr, StringConstraints(min_length=1, max_length=TEXT_CHARS_MAX)]
ModelId = Annotated[StrictStr, StringConstraints(pattern=r"^[^/\s]+/\S+$", max_length=TEXT_CHARS_MAX)]
ModelIds = Annotated[tuple[ModelId, ...], Listed]
ModelGlobs = Annotated[tuple[Annotated[Words, StringConstraints(max_length=GLOB_CHARS_MAX)], ...], Listed]
Tokens = Annotated[StrictInt, Field(ge=1, le=1_000_000_000)]


HostName = Annotated[StrictStr, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$")]


class Table(BaseModel):
    """A table of a file: frozen; a key that it does not know is reported."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class KindTiers(Table):
    """Step kind -> the tier that it gets at least."""

    explore: TierName | None = Field(default=None, description="Listing, reading, searching, fetching, looking at output.")
    summarize: TierName | None = Field(default=None, description="Explaining what was found or done; a final report.")
    side: TierName | None = Field(default=None, description="Calls beside the loop: titles, commit messages, compaction, todo lists.")
    complete: TierName | None = Field(default=None, description="Inline completion.")
    run: TierName | None = Field(
        default=None, description="Issuing tests, builds and other commands. What to do about their output is the next step."
    )
    answer: TierName | None = Field(
        default=None, description="A plain question without an agent's loop; asking the user; handing work to a subagent."
    )
    edit: TierName | None = Field(default=None, description="Writing or changing code.")
    plan: TierName | None = Field(default=None, description="Plan mode, architecture.")
    recover: TierName | None = Field(
        default=None, description="What an edit, answer or plan becomes while the agent is stuck: repeated failures, reverted edits."
    )

    def tiers(self) -> Mapping[StepKind, Tier]:
        """The kinds that are named here."""
        named = {kind: getattr(self, kind.value) for kind in StepKind}
        return MappingProxyType({kind: Tier.of(tier) for kind, tier in named.items() if tier is not None})


class Server(Table):
    """Where the daemon listens."""

    host: Words = Field(
        default="127.0.0.1", description="The address to listen on. Anything but loopback lets others on the network in who know the token."
    )
    port: Annotated[StrictInt, Field(ge=1, le=65535)] = Field(default=4884, description="The port to listen on.")
    names: Annotated[tuple[HostName, ...], Listed] = Field(
        default=(), description="Other names by which the daemon may be asked: those of a service or a load balancer before it."
    )


class ProviderSettings(Table):
    """A provider of models. One of the catalogue needs a key only; any other needs `dialect` and `base_url`."""

    dialect: Literal["openai", "responses", "anthropic"] | None = Field(default=None, description="What the provider speaks.")
    base_url: BaseUrl | None = Field(
        default=None, description="Where the provider is, up to and with its version: https://api.example.com/v1."
    )
    api_key: KeyReference | None = Field(
        default=None, description="Where the key is (env:NAME, keyring:NAME, file:PATH); never the key itself."
    )
    auth: Literal["bearer", "x-api-key", "api-key", "none"] | None = Field(default=None, description="How the key is sent.")
    billing: BillingName | None = Field(default=None, description=f"How all its models are paid for: {_BILLING}")


class PriceTable(Table):
    """US dollars per million tokens (`web_search`: per thousand searches). What is not named costs what `input` costs; a search without a
    price is not known."""

    input: Rate = Field(description="Input tokens that no cache holds.")
    output: Rate = Field(description="Output tokens, the thought ones included.")
    cache_read: Rate | None = Field(default=None, description="Input tokens read from a cache.")
    cache_write: Rate | None = Field(default=None, description="Input tokens written to a cache that lives five minutes.")
    cache_write_1h: Rate | None = Field(default=None, description="Input tokens written to a cache that lives an hour.")
    audio: Rate | None = Field(default=None, description="Sound among the input tokens that no cache holds.")
    web_search: Rate | None = Field(default=None, description="Searches of the web that the provider makes itself: US dollars a thousand.")


class PriceStep(PriceTable):
    """Other rates for the whole request once its prompt is long."""

    above_tokens: Tokens = Field(description="The rates hold for prompts of more tokens than this.")


class DatedPrice(Table):
    """Other rates from a day on, or within hours of the day. What is not named stays as in `price`."""

    date: Day | None = Field(default=None, description="The first day (UTC) on which the rates hold.")
    hours: Hours | None = Field(default=None, description='The hours of the day (UTC) in which the rates hold: "01:00-04:00".')
    input: Rate | None = Field(default=None, description="Input tokens that no cache holds.")
    output: Rate | None = Field(default=None, description="Output tokens, the thought ones included.")
    cache_read: Rate | None = Field(default=None, description="Input tokens read from a cache.")
    cache_write: Rate | None = Field(default=None, description="Input tokens written to a cache that lives five minutes.")
    cache_write_1h: Rate | None = Field(default=None, description="Input tokens written to a cache that lives an hour.")


class ModelSettings(Table):
    """A model that the catalogue lacks, or what is different here about one that it has."""

    id: ModelId = Field(description="PROVIDER/MODEL; the part after the first slash is sent upstream.")
    tier: TierName | None = Field(default=None, description="How good the model is. Steps whose floor is higher never go to it.")
    context_tokens: Tokens | None = Field(default=None, description="The longest prompt and answer together.")
    max_output_tokens: Tokens | None = Field(default=None, description="The longest answer.")
    capabilities: Annotated[tuple[Literal["tools", "vision", "reasoning", "structured", "fill", "embed"], ...], Listed] | None = Field(
        default=None,
        description="What the model can do: tools, vision, reasoning, structured (output held to a JSON schema), fill, embed.",
    )
    billing: BillingName | None = Field(default=None, description=f"How it is paid for, where it is not as its provider: {_BILLING}")
    price: PriceTable | None = Field(default=None, description="US dollars per million tokens. Without it: unpriced, never free.")
    price_steps: Annotated[tuple[PriceStep, ...], Field(max_length=16)] = Field(default=(), description="Other rates for long prompts.")
    price_from: Annotated[tuple[DatedPrice, ...], Field(max_length=64)] = Field(
        default=(), description="Other rates from a day on, or by hours."
    )


class TierModels(Table):
    """Which models may serve a tier, in this order where their cost is the same. A tier not named takes all that are good enough."""

    frugal: ModelIds | None = Field(default=None, description="The models that may serve steps whose floor is frugal.")
    balanced: ModelIds | None = Field(default=None, description="The models that may serve steps whose floor is balanced.")
    premium: ModelIds | None = Field(default=None, description="The models that may serve steps whose floor is premium.")

    def by_tier(self) -> Mapping[Tier, tuple[str, ...]]:
        """The tiers that are named here."""
        named = {tier: getattr(self, tier.word) for tier in Tier}
        return MappingProxyType({tier: models for tier, models in named.items() if models is not None})


class BudgetSettings(Table):
    """Caps in US dollars (in picodollars once checked), and what to do when one is reached."""

    session_usd: Dollars | None = Field(default=None, description="What one session may cost.")
    project_day_usd: Dollars | None = Field(default=None, description="What a day in one project may cost, in each of them.")
    project_month_usd: Dollars | None = Field(default=None, description="What a month in one project may cost, in each of them.")
    day_usd: Dollars | None = Field(default=None, description="What a day may cost.")
    month_usd: Dollars | None = Field(default=None, description="What a month may cost; it begins on its first day, by your clock.")
    team_month_usd: Dollars | None = Field(
        default=None, description="What all who share the books may spend in a month; it begins on its first day, in UTC."
    )
    warn_at: Share | None = Field(default=None, description="The share of a cap at which to warn: 0.8 is four fifths.")
    on_limit: OnLimit | None = Field(default=None, description="At the cap: ask (say so and wait), frugal (lower floors), stop (refuse).")


class GateSettings(Table):
    """The hold on a cheap model's answer until its action is known: an edit among looks never comes from a model below its floor."""

    enabled: StrictBool = Field(
        default=True,
        description="Whether steps that may turn out to be a look around go to a frugal model first, held back until that is known.",
    )
    hold_ms: Annotated[StrictInt, Field(ge=100, le=15_000)] = Field(
        default=HOLD_MS,
        description="How long an answer is held at most, in milliseconds; then text is shown, and anything else goes to the next tier.",
    )


class CacheSettings(Table):
    """What is done for the providers' caches of prompts."""

    keep_warm: StrictBool = Field(
        default=True,
        description="Whether a cache that is about to die in a pause is kept alive by a tiny call, paid from what the session has saved.",
    )


class Ledger(Table):
    """Where the books are, and in whose name they are kept."""

    url: LedgerUrl = Field(
        default="sqlite", description="`sqlite` (a file of this machine), or postgresql://USER@HOST/DATABASE for books that a team shares."
    )
    password: KeyReference | None = Field(
        default=None,
        description="Where the password of a PostgreSQL server is (env:NAME, keyring:NAME, file:PATH); never the password itself.",
    )
    user: Annotated[StrictStr, StringConstraints(pattern=r"^\S(.*\S)?$", max_length=100)] | None = Field(
        default=None, description="Who spends, in books that a team shares; else the name of the account that runs the daemon."
    )
    keep_days: Annotated[int, Field(strict=True, ge=1, le=36_500)] = Field(
        default=180,
        description="How long the reasons of a decision are kept after its session was last heard of. The journal itself is kept for good.",
    )


class LocalServers(Table):
    """The servers of this machine: Ollama, LM Studio, llama.cpp, vLLM."""

    discover: StrictBool = Field(default=True, description="Whether their ports are asked which models they have, at start and at reload.")
    use: StrictBool = Field(
        default=False,
        description="Whether the models that are found may be chosen unasked. They cost nothing, so they win every frugal step.",
    )


class PriceUpdates(Table):
    """Newer prices than those that ship."""

    update: StrictBool = Field(
        default=False, description="Whether the daemon asks for newer prices once a day. Nothing is sent but the question."
    )
    url: BaseUrl | None = Field(
        default=None, description="A price table of stepfare's own format to ask for, before OpenRouter's list of models."
    )


class Privacy(Table):
    """What is kept of a conversation."""

    titles: StrictBool = Field(default=True, description="Whether a session's title, the first 60 characters of its task, is kept.")


def _profile_name(name: str) -> str:
    if name in RESERVED_NAMES:
        raise PydanticCustomError(
            "wrong", "{words}", {"words": f'"{name}" ships with stepfare and cannot be redefined; choose another name'}
        )
    return name


ProfileName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$"), AfterValidator(_profile_name)]
ProviderName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]


class Settings(Table):
    """`config.toml`: the user's own settings."""

    profile: Words = Field(default=DEFAULT_PROFILE, description="The profile that holds where nothing else names one.")
    baseline: ModelId | None = Field(default=None, description="The model against which savings are measured; else the best one in play.")
    server: Server = Field(default_factory=Server, description="Where the daemon listens.")
    providers: dict[ProviderName, ProviderSettings] = Field(default_factory=dict[str, ProviderSettings], description="Who serves models.")
    models: Annotated[tuple[ModelSettings, ...], Field(max_length=ITEMS_MAX)] = Field(
        (), description="Models to add to the catalogue or to override."
    )
    tiers: TierModels = Field(default_factory=TierModels, description="Which models may serve a tier.")
    profiles: dict[ProfileName, KindTiers] = Field(default_factory=dict[str, KindTiers], description="Profiles of your own.")
    local: LocalServers = Field(default_factory=LocalServers, description="The servers of this machine.")
    prices: PriceUpdates = Field(default_factory=PriceUpdates, description="Newer prices than those that ship.")
    budget: BudgetSettings = Field(default_factory=BudgetSettings, description="What may be spent.")
    gate: GateSettings = Field(default_factory=GateSettings, description="The hold on cheap answers until their action is known.")
    cache: CacheSettings = Field(default_factory=CacheSettings, description="What is done for the providers' caches of prompts.")
    ledger: Ledger = Field(default_factory=Ledger, description="Where the books are.")
    privacy: Privacy = Field(default_factory=Privacy, description="What is kept of a conversation.")

    def user_profiles(self) -> Mapping[str, Mapping[StepKind, Tier]]:
        """The user's own profiles: only the kinds that each names."""
        return MappingProxyType({name: table.tiers() for name, table in self.profiles.items()})


class PathRule(Table):
    """A floor for the steps that touch some files."""

    match: Annotated[tuple[PathGlob, ...], Field(min_length=1), Listed] = Field(
        description="Globs as in a .gitignore file, relative to the folder of this file. The highest floor of all that match holds."
    )
    floor: TierName = Field(description="The tier that a step touching these files gets at least.")


class ModelRules(Table):
    """Which of the user's models may serve this project. It can only narrow."""

    deny: ModelGlobs = Field(default=(), description="Globs over PROVIDER/MODEL of models that never serve this project.")
    allow: ModelGlobs | None = Field(default=None, description="Globs over PROVIDER/MODEL; where given, every other model is denied.")


class ProjectBudget(Table):
    """Caps of this project in US dollars. They can only lower the user's own."""

    session_usd: Dollars | None = Field(default=None, description="What one session in this project may cost.")
    day_usd: Dollars | None = Field(default=None, description="What a day in this project may cost.")
    month_usd: Dollars | None = Field(default=None, description="What a month in this project may cost.")
    warn_at: Share | None = Field(default=None, description="The share of a cap at which to warn: 0.8 is four fifths.")
    on_limit: OnLimit | None = Field(default=None, description="At the cap: ask (say so and wait), frugal (lower floors), stop (refuse).")


class WrittenDotfile(Table):
    """`.stepfare.toml`: what a project asks of stepfare. It chooses among what the user has allowed and can add nothing."""

    profile: Words | None = Field(
        default=None,
        description="The profile that this project starts from: frugal, balanced, careful, premium, ladder, or one of the user's own.",
    )
    steps: KindTiers = Field(default_factory=KindTiers, description="Step kind -> tier, on top of the profile.")
    paths: Annotated[tuple[PathRule, ...], Field(max_length=ITEMS_MAX)] = Field(
        (), description="Floors for the steps that touch some files."
    )
    models: ModelRules = Field(default_factory=ModelRules, description="Which of the user's models may serve this project.")
    budget: ProjectBudget = Field(default_factory=ProjectBudget, description="Caps of this project.")
