"""Text of a person's file -> values and problems. It never fails: what is right is used, what is wrong is left out and said.

A text that is not TOML at all gives the values of an empty file and `readable` false: whoever has earlier values keeps those.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

from stepfare.config.dotfile import Caps, Dotfile, ModelGlob, PathFloors, UserLimits
from stepfare.config.fit import Fitted, fitted
from stepfare.config.globs import compiled
from stepfare.config.notes import Notes, did_you_mean
from stepfare.config.places import KeyPath, Places
from stepfare.config.profiles import DEFAULT_PROFILE, PROFILES
from stepfare.config.read import Read, read
from stepfare.config.schema import Settings, WrittenDotfile
from stepfare.core.money import PUSD_PER_USD
from stepfare.core.problem import Problem
from stepfare.core.step import Tier

DOTFILE_BYTES_MAX = 64 * 1024
SETTINGS_BYTES_MAX = 256 * 1024

FORBIDDEN_IN_DOTFILE = frozenset(
    {
        "provider",
        "providers",
        "base_url",
        "baseurl",
        "api_base",
        "url",
        "urls",
        "endpoint",
        "endpoints",
        "upstream",
        "proxy",
        "host",
        "port",
        "server",
        "api_key",
        "api_keys",
        "apikey",
        "key",
        "keys",
        "secret",
        "secrets",
        "token",
        "tokens",
        "auth",
        "authorization",
        "header",
        "headers",
        "command",
        "commands",
        "hook",
        "hooks",
        "exec",
        "script",
        "scripts",
        "shell",
        "env",
        "environment",
        "include",
        "includes",
        "import",
        "plugin",
        "plugins",
        "ledger",
        "log",
        "privacy",
        "tiers",
        "profiles",
        "baseline",
        "price",
        "prices",
    }
)
"""Names of what only the user may say. Any other unknown key is merely unknown."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Checked(Generic[T]):
    """What a text says. `lines` has the line (from 1) of each key path such as `steps.edit` or `paths.0`."""

    value: T
    problems: tuple[Problem, ...] = ()
    lines: Mapping[str, int] = field(default_factory=dict[str, int])
    readable: bool = True
    """False where the text is not TOML or too long: the value is then that of an empty file."""


def check_settings(text: str | bytes, source: str, *, found: Read | None = None) -> Checked[Settings]:
    """The user's own `config.toml`; `source` is the name by which problems call it, `found` the text where it was read already."""
    found = found or read(text, source, SETTINGS_BYTES_MAX)
    notes = Notes(source, found.places)
    settings = fitted(Settings, found.data, notes).table
    known = [*PROFILES, *settings.profiles]
    if settings.profile not in known:
        notes.add(("profile",), "wrong-value", _no_profile(settings.profile, known, f"{DEFAULT_PROFILE} is used"))
        settings = settings.model_copy(update={"profile": DEFAULT_PROFILE})
    return Checked(settings, notes.sorted_with(found.problems), _lines(found.places), found.readable)


def check_dotfile(text: str | bytes, source: str, user: UserLimits | None = None, *, found: Read | None = None) -> Checked[Dotfile]:
    """A project's `.stepfare.toml`. With `user`, it is also held against the user's own caps and profiles. `found` is the text where it
    was read already."""
    found = found or read(text, source, DOTFILE_BYTES_MAX)
    notes = Notes(source, found.places)
    data = _without_forbidden(found.data, (), notes)
    # A list of allowed models that cannot be read must not come to mean that all are allowed.
    fit = fitted(WrittenDotfile, data, notes, {("models", "allow"): []})
    written = fit.table
    value = Dotfile(
        source=source,
        profile=_project_profile(written.profile, user, notes),
        steps=written.steps.tiers(),
        paths=_path_floors(fit, found.places),
        deny=_model_globs(fit, "deny", written.models.deny, found.places),
        allow=None if written.models.allow is None else _model_globs(fit, "allow", written.models.allow, found.places),
        budget=_project_caps(written, user, notes),
        lines=_lines(found.places),
    )
    return Checked(value, notes.sorted_with(found.problems), value.lines, found.readable)


def limits_of(settings: Settings) -> UserLimits:
    """What a project's file is measured against."""
    budget = settings.budget
    return UserLimits(
        session_pusd=budget.session_usd,
        day_pusd=_lowest(budget.project_day_usd, budget.day_usd),
        month_pusd=_lowest(budget.project_month_usd, budget.month_usd),
        profiles=frozenset(settings.profiles),
    )


def _lowest(*limits: int | None) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)


def _without_forbidden(data: Mapping[str, Any], path: KeyPath, notes: Notes) -> dict[str, Any]:
    """The data without what a project may not say, each such key noted at its own place."""
    allowed: dict[str, Any] = {}
    for key, value in data.items():
        at = (*path, key)
        if key.lower().replace("-", "_") in FORBIDDEN_IN_DOTFILE:
            notes.add(
                at,
                "forbidden",
                f"`{key}` is ignored: only your own config.toml may say that. A project's file chooses, it cannot add. Remove it here.",
                key=True,
            )
        elif at == ("models",) and isinstance(value, list):
            notes.add(
                at,
                "forbidden",
                "[[models]] is ignored: a project cannot add models. It can narrow them: [models] with deny or allow.",
                key=True,
            )
        elif isinstance(value, dict):
            allowed[key] = _without_forbidden(cast("dict[str, Any]", value), at, notes)
        elif isinstance(value, list):
            items = enumerate(cast("list[Any]", value))
            allowed[key] = [
                _without_forbidden(cast("dict[str, Any]", item), (*at, index), notes) if isinstance(item, dict) else item
                for index, item in items
            ]
        else:
            allowed[key] = value
    return allowed


def _project_profile(name: str | None, user: UserLimits | None, notes: Notes) -> str | None:
    known = [*PROFILES, *sorted(user.profiles if user else ())]
    if name is None or name in known:
        return name
    notes.add(
        ("profile",),
        "wrong-value",
        f"There is no profile of that name; it is left out.{did_you_mean(name, known)} Known: {', '.join(known)}.",
    )
    return None


def _no_profile(name: str, known: Sequence[str], then: str) -> str:
    return f"There is no profile of that name: {then}.{did_you_mean(name, known)} Known: {', '.join(known)}."


def _path_floors(fit: Fitted[WrittenDotfile], places: Places) -> tuple[PathFloors, ...]:
    floors: list[PathFloors] = []
    for position, rule in enumerate(fit.table.paths):
        at = ("paths", fit.index(("paths",), position), "match")
        lines = tuple(_line(places, (*at, fit.index(at, index))) for index in range(len(rule.match)))
        floors.append(PathFloors(Tier.of(rule.floor), compiled(rule.match), lines))
    return tuple(floors)


def _model_globs(fit: Fitted[WrittenDotfile], name: str, globs: tuple[str, ...], places: Places) -> tuple[ModelGlob, ...]:
    at = ("models", name)
    return tuple(ModelGlob(glob, _line(places, (*at, fit.index(at, index)))) for index, glob in enumerate(globs))


def _project_caps(written: WrittenDotfile, user: UserLimits | None, notes: Notes) -> Caps:
    budget = written.budget

    def lower(name: str, own: int | None, users: int | None) -> int | None:
        if own is None or users is None or own <= users:
            return own
        cap = f"${users / PUSD_PER_USD:.2f}"
        notes.add(("budget", name), "budget-above-user", f"Your own settings allow {cap}; that lower cap holds.", severity="warning")
        return users

    return Caps(
        session_pusd=lower("session_usd", budget.session_usd, user.session_pusd if user else None),
        day_pusd=lower("day_usd", budget.day_usd, user.day_pusd if user else None),
        month_pusd=lower("month_usd", budget.month_usd, user.month_pusd if user else None),
        warn_at=budget.warn_at,
        on_limit=budget.on_limit,
    )


def _line(places: Places, path: KeyPath) -> int:
    place = places.of(path)
    return place.line if place else 0


def _lines(places: Places) -> dict[str, int]:
    """Each key at the line of its name, each item of a list at its own."""
    spots = {**places.values, **places.keys}
    return {".".join(str(part) for part in path): place.line for path, place in spots.items()}
