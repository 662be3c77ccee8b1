"""What a client's settings file must say to point at the daemon, and how that is taken back: pure functions from text to text.

An undo sees three texts: the file before we changed it, after, and now. What still reads as we wrote it gets its former value; what the
user changed since stays. Which files and which values there are, the clients' own modules say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import pairwise
from pathlib import Path
from typing import Protocol, cast

from stepfare.cli.connect import env_text, json_text, toml_text, yaml_text
from stepfare.cli.connect.json_text import MISSING, Json, JsonObject, Keys, Missing, Unsuitable, entry_of


class Edit(Protocol):
    """The change to one file. Every method raises Unsuitable where the text cannot be read."""

    @property
    def path(self) -> Path: ...

    @property
    def secret(self) -> bool:
        """Whether the change puts a token into the file."""
        ...

    def holds(self, text: str | None) -> bool:
        """Whether the text already says everything that we want of it."""
        ...

    def applied(self, text: str | None) -> str:
        """The text with our values in it; a new file's whole text for None."""
        ...

    def undone(self, now: str, before: str | None, after: str) -> str | None:
        """The text without our values; None where nothing of worth is left of a file that was not there before."""
        ...

    def points_to(self, text: str) -> str:
        """The base URL, or what else leads to us, that the text holds at our place; empty where there is none."""
        ...


class Back(Enum):
    """When an undo gives a value its former state."""

    IF_OURS = auto()
    """Where it still reads as we wrote it."""
    WITH_ANCHOR = auto()
    """Where the base URL is still ours, whatever it reads now: it means nothing elsewhere. Else it stays."""
    EITHER = auto()
    """Where it reads as we wrote it or the base URL is still ours."""
    BOTH = auto()
    """Where it reads as we wrote it and the base URL is still ours."""


@dataclass(frozen=True, slots=True)
class Put:
    """One value of a file. A `passing` value is one that the client renews by itself, so that it tells nothing.

    `family` is what a text begins with that means something of ours whatever follows: another of our models, chosen since, is ours too.
    """

    keys: Keys
    value: Json
    back: Back = Back.IF_OURS
    passing: bool = False
    family: str = ""

    def is_ours(self, now: Json | Missing, wrote: Json | Missing) -> bool:
        return now == wrote or (bool(self.family) and isinstance(now, str) and now.startswith(self.family))


@dataclass(frozen=True, slots=True)
class Format:
    """How single values are read, set and dropped in one kind of text. `empty` is the text of a new file."""

    parse: Callable[[str], JsonObject]
    put: Callable[[str, Keys, Json], str]
    drop: Callable[[str, Keys], str]
    empty: str = ""


def _env_values(text: str) -> JsonObject:
    return {name: env_text.value_of(text, name) for name in env_text.names_in(text)}


def _env_put(text: str, keys: Keys, value: Json) -> str:
    return env_text.put(text, keys[-1], str(value))


def _env_drop(text: str, keys: Keys) -> str:
    return env_text.drop(text, keys[-1])


JSON = Format(json_text.parse, json_text.put, json_text.drop, "{\n}\n")
JSON_WITH_COMMENTS = Format(json_text.parse_lenient, json_text.put, json_text.drop, "{\n}\n")
TOML = Format(toml_text.parse, toml_text.put, toml_text.drop)
YAML = Format(lambda text: cast(JsonObject, yaml_text.parse(text)), yaml_text.put, yaml_text.drop)
ENV = Format(_env_values, _env_put, _env_drop)


@dataclass(frozen=True, slots=True)
class ValuesEdit:
    """Single values of a file. `anchor` is where the base URL stands; `unit` the object that is of no use without it."""

    path: Path
    puts: tuple[Put, ...]
    anchor: Keys
    unit: Keys = ()
    fresh: Mapping[str, Json] = field(default_factory=dict[str, Json])
    """What a new file holds besides."""
    secret: bool = True
    format: Format = JSON
    anchor_end: str = ""
    """What the base URL has more than the anchor's value."""

    def holds(self, text: str | None) -> bool:
        if text is None:
            return False
        document = self._read(text)
        return all(json_text.value_at(document, put.keys) == put.value for put in self.puts if not put.passing)

    def applied(self, text: str | None) -> str:
        after = self.format.empty if text is None or not text.strip() else text
        expected = self._read(after)
        fresh = [(keys, value) for keys, value in _leaves(self.fresh) if json_text.value_at(expected, keys) is MISSING]
        for keys, value in [*(fresh if not expected else []), *((put.keys, put.value) for put in self.puts)]:
            if json_text.value_at(expected, keys) != value:  # what reads so already keeps its own spelling
                after = self.format.put(after, keys, value)
                _set(expected, keys, value)
        if self.format.parse(after) != expected:
            raise Unsuitable("it is written in a way that cannot be changed without rewriting it")
        return after

    def undone(self, now: str, before: str | None, after: str) -> str | None:
        was = self._read(before or "")
        wrote, reads = self._read(after), self._read(now)
        if self._steady(reads) == self._steady(wrote):
            # Only the client has touched it, if anyone: the file becomes what it was, to the byte.
            return before
        anchored = json_text.value_at(reads, self.anchor) == json_text.value_at(wrote, self.anchor)
        text = now
        if anchored and self.unit and json_text.value_at(was, self.unit) is MISSING:
            text = self.format.drop(text, self.unit)
        for put in self.puts:
            value = json_text.value_at(self._read(text), put.keys)
            former = json_text.value_at(was, put.keys)
            ours = put.is_ours(value, json_text.value_at(wrote, put.keys))
            if value not in (MISSING, former) and _goes_back(put.back, ours=ours, anchored=anchored):
                text = self._restored(text, put.keys, former)
        text = self._without_empty(text, {**self.fresh, **was})
        worthless = self._read(text).items() <= self.fresh.items()
        return None if before is None and worthless else text

    def points_to(self, text: str) -> str:
        value = json_text.value_at(self._read(text), self.anchor)
        return value + self.anchor_end if isinstance(value, str) else ""

    def _read(self, text: str) -> JsonObject:
        return self.format.parse(text) if text.strip() else {}

    def _restored(self, text: str, keys: Keys, former: Json | Missing) -> str:
        return self.format.drop(text, keys) if isinstance(former, Missing) else self.format.put(text, keys, former)

    def _without_empty(self, text: str, was: Mapping[str, Json]) -> str:
        """The text without the objects and lists that we made and that nothing is left of."""
        parents = {put.keys[:depth] for put in self.puts for depth in range(1, len(put.keys))}
        for keys in sorted(parents, key=len, reverse=True):
            if json_text.value_at(self._read(text), keys) in ({}, []) and json_text.value_at(was, keys) is MISSING:
                text = self.format.drop(text, keys)
        return text

    def _steady(self, document: JsonObject) -> JsonObject:
        text = document
        for put in self.puts:
            if put.passing and json_text.value_at(text, put.keys) is not MISSING:
                text = _copy(text)
                _set(text, put.keys, None)
        return text


@dataclass(frozen=True, slots=True)
class YamlModelEdit:
    """One entry at the head of a YAML file's `models`. `name` and `apiBase` together tell it from the user's own."""

    path: Path
    entry: Mapping[str, object]
    scaffold: Mapping[str, str]
    secret: bool = True

    def holds(self, text: str | None) -> bool:
        return text is not None and any(dict(model) == dict(self.entry) for model in yaml_text.models_of(yaml_text.parse(text)))

    def applied(self, text: str | None) -> str:
        return yaml_text.with_model(text or "", self.entry, self.scaffold)

    def undone(self, now: str, before: str | None, after: str) -> str | None:
        if now == after:
            return before
        bases = {model.get("apiBase") for model in yaml_text.models_of(yaml_text.parse(after)) if self._named(model)}
        had_key = before is not None and yaml_text.MODELS in yaml_text.parse(before)
        text = yaml_text.without_models(now, lambda model: self._named(model) and model.get("apiBase") in bases, keep_key=had_key)
        return None if before is None and yaml_text.parse(text) in ({}, dict(self.scaffold)) else text

    def points_to(self, text: str) -> str:
        named = [model for model in yaml_text.models_of(yaml_text.parse(text)) if self._named(model)]
        return str(named[0].get("apiBase", "")) if named else ""

    def _named(self, model: yaml_text.Entry) -> bool:
        return model.get("name") == self.entry.get("name")


@dataclass(frozen=True, slots=True)
class EnvEdit:
    """One line of a dotenv file."""

    path: Path
    name: str
    value: str
    secret: bool = True

    def holds(self, text: str | None) -> bool:
        return text is not None and env_text.value_of(text, self.name) == self.value

    def applied(self, text: str | None) -> str:
        return env_text.put(text or "", self.name, self.value)

    def undone(self, now: str, before: str | None, after: str) -> str | None:
        if now == after:
            return before
        if env_text.value_of(now, self.name) != env_text.value_of(after, self.name):
            return now
        former = env_text.value_of(before or "", self.name)
        text = env_text.drop(now, self.name) if former is None else env_text.put(now, self.name, former)
        return None if before is None and not text.strip() else text

    def points_to(self, text: str) -> str:
        return self.name if env_text.value_of(text, self.name) == self.value else ""


def _goes_back(back: Back, *, ours: bool, anchored: bool) -> bool:
    match back:
        case Back.IF_OURS:
            return ours
        case Back.WITH_ANCHOR:
            return anchored
        case Back.EITHER:
            return ours or anchored
        case Back.BOTH:
            return ours and anchored


def _leaves(document: Mapping[str, Json]) -> list[tuple[Keys, Json]]:
    return [((key,), value) for key, value in document.items()]


def _set(document: JsonObject, keys: Keys, value: Json) -> None:
    for key, next_key in pairwise(keys):
        if (entry := entry_of(next_key)) is not None:
            listed = document.setdefault(key, [])
            assert isinstance(listed, list), keys
            named = [at for at, each in enumerate(listed) if isinstance(each, dict) and each.get(entry[0]) == entry[1]]
            at = named[-1] if named else len(listed)
            listed[at : at + 1] = [value]
            return
        below = document.setdefault(key, {})
        assert isinstance(below, dict), keys
        document = below
    document[keys[-1]] = value


def _copy(document: JsonObject) -> JsonObject:
    return {key: _copy(value) if isinstance(value, dict) else value for key, value in document.items()}
