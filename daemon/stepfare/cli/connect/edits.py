"""What a client's settings file must say to point at the daemon, and how that is taken back: pure functions from text to text.

An undo sees three texts: the file before we changed it, after, and now. What still reads as we wrote it gets its former value; what the
user changed since stays. Which files and which values there are, the clients' own modules say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import Protocol

from stepfare.cli.connect import env_text, json_text, yaml_text
from stepfare.cli.connect.json_text import MISSING, Json, JsonObject, Keys, Missing


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
    """One value of a JSON file. A `passing` value is one that the client renews by itself, so that it tells nothing."""

    keys: Keys
    value: Json
    back: Back = Back.IF_OURS
    passing: bool = False


@dataclass(frozen=True, slots=True)
class JsonEdit:
    """Values in a JSON file. `anchor` is where the base URL stands; `unit` the object that is of no use without it."""

    path: Path
    puts: tuple[Put, ...]
    anchor: Keys
    unit: Keys = ()
    fresh: Mapping[str, Json] = field(default_factory=dict[str, Json])
    """What a new file holds besides."""
    secret: bool = True

    def holds(self, text: str | None) -> bool:
        if text is None:
            return False
        document = json_text.parse(text)
        return all(json_text.value_at(document, put.keys) == put.value for put in self.puts if not put.passing)

    def applied(self, text: str | None) -> str:
        after = "{\n}\n" if text is None or not text.strip() else text
        expected = json_text.parse(after)
        fresh = [(keys, value) for keys, value in _leaves(self.fresh) if json_text.value_at(expected, keys) is MISSING]
        for keys, value in [*(fresh if not expected else []), *((put.keys, put.value) for put in self.puts)]:
            after = json_text.put(after, keys, value)
            _set(expected, keys, value)
        assert json_text.parse(after) == expected, self.path
        return after

    def undone(self, now: str, before: str | None, after: str) -> str | None:
        was = json_text.parse(before) if before is not None and before.strip() else {}
        wrote, reads = json_text.parse(after), json_text.parse(now)
        if self._steady(reads) == self._steady(wrote):
            # Only the client has touched it, if anyone: the file becomes what it was, to the byte.
            return before
        anchored = json_text.value_at(reads, self.anchor) == json_text.value_at(wrote, self.anchor)
        text = now
        if anchored and self.unit and json_text.value_at(was, self.unit) is MISSING:
            text = json_text.drop(text, self.unit)
        for put in self.puts:
            value = json_text.value_at(json_text.parse(text), put.keys)
            ours = value == json_text.value_at(wrote, put.keys)
            if value is not MISSING and _goes_back(put.back, ours=ours, anchored=anchored):
                text = _restored(text, put.keys, json_text.value_at(was, put.keys))
        text = _without_empty(text, {**self.fresh, **was}, [put.keys for put in self.puts])
        worthless = json_text.parse(text).items() <= self.fresh.items()
        return None if before is None and worthless else text

    def points_to(self, text: str) -> str:
        value = json_text.value_at(json_text.parse(text), self.anchor)
        return value if isinstance(value, str) else ""

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


def _restored(text: str, keys: Keys, former: Json | Missing) -> str:
    return json_text.drop(text, keys) if isinstance(former, Missing) else json_text.put(text, keys, former)


def _without_empty(text: str, was: Mapping[str, Json], paths: list[Keys]) -> str:
    """The text without the objects that we made and that nothing is left of."""
    parents = {keys[:depth] for keys in paths for depth in range(1, len(keys))}
    for keys in sorted(parents, key=len, reverse=True):
        if json_text.value_at(json_text.parse(text), keys) == {} and json_text.value_at(was, keys) is MISSING:
            text = json_text.drop(text, keys)
    return text


def _leaves(document: Mapping[str, Json]) -> list[tuple[Keys, Json]]:
    return [((key,), value) for key, value in document.items()]


def _set(document: JsonObject, keys: Keys, value: Json) -> None:
    for key in keys[:-1]:
        below = document.setdefault(key, {})
        assert isinstance(below, dict), keys
        document = below
    document[keys[-1]] = value


def _copy(document: JsonObject) -> JsonObject:
    return {key: _copy(value) if isinstance(value, dict) else value for key, value in document.items()}
