"""What evaluating Python's plain parts makes: scopes, functions, objects, and the ways in which it ends early."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field

from stepfare.simulator.allowed import BUILTINS

STEPS_MAX = 20_000
"""For one evaluation; whoever evaluates many shares a `Meter`."""
SIZE_MAX = 4_096
INT_BITS_MAX = 2_048
CALL_DEPTH_MAX = 40


class Unsupported(Exception):
    """Outside of what is evaluated here, or too much work."""


class Raised(Exception):
    """The evaluated code raised this."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error


class Returned(Exception):
    def __init__(self, value: object) -> None:
        self.value = value


class Broken(Exception):
    pass


class Continued(Exception):
    pass


@dataclass(slots=True)
class Meter:
    """How much work is left."""

    steps: int = STEPS_MAX

    def charge(self, steps: int = 1) -> None:
        self.steps -= steps
        if self.steps < 0:
            raise Unsupported("too much work")


@dataclass(slots=True)
class Scope:
    """Names of a function, or of a module where there is no parent."""

    names: dict[str, object] = field(default_factory=dict[str, object])
    module: Scope | None = None

    def find(self, name: str) -> object:
        if name in self.names:
            return self.names[name]
        if self.module is not None:
            return self.module.find(name)
        if name in BUILTINS:
            return BUILTINS[name]
        raise Unsupported(f"the name {name}")


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    node: ast.FunctionDef | ast.Lambda
    scope: Scope
    defaults: tuple[object, ...] = ()
    keyword_defaults: Mapping[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True, slots=True, eq=False)
class Class:
    name: str
    members: dict[str, object]


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    made_by: Class
    fields: dict[str, object]


@dataclass(frozen=True, slots=True, eq=False)
class Bound:
    function: Function
    owner: Instance


@dataclass(frozen=True, slots=True, eq=False)
class Module:
    """Something with attributes: an imported module, or the `self` of a unittest case."""

    members: Mapping[str, object]


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """`pytest.raises(...)` and `self.assertRaises(...)` as a context: the body has to raise one of these."""

    kinds: tuple[type[BaseException], ...]
