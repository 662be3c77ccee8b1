"""A small evaluator of Python's plain parts, on parsed trees: arithmetic, comparisons, loops, functions, simple classes.

It never hands text or a tree to the interpreter: what is not in the tables of `allowed` is `Unsupported`. Work, sizes and depth are
bounded, so that code read from a stranger's project costs a fraction of a second at most.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import cast

from stepfare.simulator.allowed import (
    BINARY,
    CATCHABLE,
    COMPARE,
    FORMAT,
    GET_ITEM,
    LAZY,
    METHODS,
    POWER,
    SET_ITEM,
    TIMES,
    UNARY,
    VIEWS,
    Native,
)
from stepfare.simulator.evaluated import (
    CALL_DEPTH_MAX,
    INT_BITS_MAX,
    SIZE_MAX,
    Bound,
    Broken,
    Class,
    Continued,
    Expected,
    Function,
    Instance,
    Meter,
    Module,
    Raised,
    Returned,
    Scope,
    Unsupported,
)


class Machine:
    """Evaluates trees in scopes; `meter` bounds the work of all that it is asked."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._depth = 0

    # Functions

    def call(self, function: object, arguments: Sequence[object], keywords: Mapping[str, object] | None = None) -> object:
        self._meter.charge()
        keywords = keywords or {}
        match function:
            case Function():
                return self._apply(function, arguments, keywords)
            case Bound(inner, owner):
                return self._apply(inner, (owner, *arguments), keywords)
            case Class():
                made = Instance(function, {})
                starter = function.members.get("__init__")
                if isinstance(starter, Function):
                    self._apply(starter, (made, *arguments), keywords)
                return made
            case _ if callable(function):
                return self.native(function, arguments, keywords)
            case _:
                raise Raised(TypeError("not callable"))

    def native(self, function: Native, arguments: Sequence[object], keywords: Mapping[str, object]) -> object:
        """A function of ours with values of theirs; what it raises is theirs too."""
        for value in (*arguments, *keywords.values()):
            self._weigh(value)
        plain = [self._as_native(value) for value in arguments]
        named = {name: self._as_native(value) for name, value in keywords.items()}
        if function is POWER or function is TIMES:
            self._guard_growth(function, plain)
        if function is range and plain and len(range(*cast(list[int], plain))) > SIZE_MAX:
            raise Unsupported("a long range")
        try:
            result = function(*plain, **named)
            # Lazy ones are drawn now, while the work is counted.
            return list(cast(Iterable[object], result)) if isinstance(result, LAZY) else self._sized(result)
        except (Unsupported, Raised, RecursionError):
            raise
        except CATCHABLE as error:
            raise Raised(error) from None

    def _as_native(self, value: object) -> object:
        if isinstance(value, Function | Bound | Class):
            inner = value

            def called(*arguments: object) -> object:
                return self.call(inner, arguments)

            return called
        if isinstance(value, Instance):
            raise Unsupported("an object given to a built-in function")
        return value

    def _guard_growth(self, function: Native, values: list[object]) -> None:
        left, right = values[0], values[1]
        if function is POWER and isinstance(left, int) and isinstance(right, int) and left.bit_length() * abs(right) > INT_BITS_MAX:
            raise Unsupported("a huge power")
        for many, times in ((left, right), (right, left)):
            if isinstance(many, str | list | tuple) and isinstance(times, int) and len(cast(Sequence[object], many)) * times > SIZE_MAX:
                raise Unsupported("a long repetition")

    def _sized(self, value: object) -> object:
        if isinstance(value, int) and value.bit_length() > INT_BITS_MAX:
            raise Unsupported("a huge number")
        if isinstance(value, str | list | tuple | dict | set) and len(cast(Sequence[object], value)) > SIZE_MAX:
            raise Unsupported("a large value")
        return cast(object, value)

    def _weigh(self, value: object) -> None:
        """Charge for each element inside: comparing or printing a deeply shared value could take for ever."""
        if isinstance(value, str):
            self._meter.charge(len(value) // 64)
        elif isinstance(value, dict):
            for key, item in cast(dict[object, object], value).items():
                self._meter.charge()
                self._weigh(key)
                self._weigh(item)
        elif isinstance(value, list | tuple | set):
            for item in cast(Iterable[object], value):
                self._meter.charge()
                self._weigh(item)

    def _apply(self, function: Function, arguments: Sequence[object], keywords: Mapping[str, object]) -> object:
        if self._depth >= CALL_DEPTH_MAX:
            raise Unsupported("calls nested too deeply")
        scope = Scope(self._bind(function, arguments, keywords), function.scope)
        self._depth += 1
        try:
            if isinstance(function.node, ast.Lambda):
                return self.value(function.node.body, scope)
            self.run(function.node.body, scope)
        except Returned as returned:
            return returned.value
        finally:
            self._depth -= 1
        return None

    def _bind(self, function: Function, arguments: Sequence[object], keywords: Mapping[str, object]) -> dict[str, object]:
        takes = function.node.args
        if takes.kwarg:
            raise Unsupported("keyword packing")
        names = [argument.arg for argument in (*takes.posonlyargs, *takes.args)]
        bound: dict[str, object] = dict(zip(reversed(names), reversed(function.defaults), strict=False)) | dict(function.keyword_defaults)
        bound.update(zip(names, arguments, strict=False))
        if takes.vararg:
            bound[takes.vararg.arg] = tuple(arguments[len(names) :])
        elif len(arguments) > len(names):
            raise Raised(TypeError("too many arguments"))
        bound.update(keywords)
        missing = [name for name in (*names, *(argument.arg for argument in takes.kwonlyargs)) if name not in bound]
        unknown = [name for name in keywords if name not in names and all(name != argument.arg for argument in takes.kwonlyargs)]
        if missing or unknown:
            raise Raised(TypeError(f"arguments do not fit: {', '.join(missing + unknown)}"))
        return bound

    # Statements

    def run(self, body: Sequence[ast.stmt], scope: Scope) -> None:
        for statement in body:
            self._meter.charge()
            self._statement(statement, scope)

    def _statement(self, node: ast.stmt, scope: Scope) -> None:
        match node:
            case ast.Expr():
                self.value(node.value, scope)
            case ast.Return():
                raise Returned(self.value(node.value, scope) if node.value else None)
            case ast.Assign():
                value = self.value(node.value, scope)
                for target in node.targets:
                    self._assign(target, value, scope)
            case ast.AnnAssign():
                if node.value:
                    self._assign(node.target, self.value(node.value, scope), scope)
            case ast.AugAssign():
                changed = self._binary(type(node.op), self.value(_loaded(node.target), scope), self.value(node.value, scope))
                self._assign(node.target, changed, scope)
            case ast.If():
                self.run(node.body if self._truth(node.test, scope) else node.orelse, scope)
            case ast.For():
                self._loop(node, scope)
            case ast.While():
                self._while(node, scope)
            case ast.Assert():
                if not self._truth(node.test, scope):
                    raise Raised(AssertionError(ast.unparse(node.test)))
            case ast.Raise():
                raise Raised(self._error(node, scope))
            case ast.Try():
                self._try(node, scope)
            case ast.With():
                self._with(node, scope)
            case ast.FunctionDef():
                scope.names[node.name] = self._function(node, scope)
            case ast.ClassDef():
                scope.names[node.name] = self._class(node, scope)
            case ast.Break():
                raise Broken
            case ast.Continue():
                raise Continued
            case ast.Pass():
                return
            case _:
                raise Unsupported(type(node).__name__)

    def _function(self, node: ast.FunctionDef | ast.Lambda, scope: Scope) -> Function:
        if isinstance(node, ast.FunctionDef) and (
            node.decorator_list or any(isinstance(inner, ast.Yield | ast.YieldFrom) for inner in ast.walk(node))
        ):
            raise Unsupported("a decorated function or a generator")
        defaults = tuple(self.value(default, scope) for default in node.args.defaults)
        pairs = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
        return Function(node, scope, defaults, {argument.arg: self.value(default, scope) for argument, default in pairs if default})

    def _class(self, node: ast.ClassDef, scope: Scope) -> object:
        bases = [self.value(base, scope) for base in node.bases]
        if node.decorator_list or node.keywords:
            raise Unsupported("a decorated class")
        if len(bases) == 1 and isinstance(bases[0], type) and issubclass(bases[0], Exception):
            return type(node.name, (bases[0],), {})
        if bases:
            raise Unsupported("inheritance")
        inside = Scope({}, scope)
        self.run([statement for statement in node.body if not isinstance(statement, ast.Expr)], inside)
        # Methods see the module, not the class body.
        members: dict[str, object] = {
            name: Function(value.node, scope, value.defaults, value.keyword_defaults) if isinstance(value, Function) else value
            for name, value in inside.names.items()
        }
        return Class(node.name, members)

    def _assign(self, target: ast.expr, value: object, scope: Scope) -> None:
        match target:
            case ast.Name():
                scope.names[target.id] = value
            case ast.Tuple() | ast.List():
                values = self._items(value)
                if len(values) != len(target.elts):
                    raise Raised(ValueError("not as many values as names"))
                for inner, item in zip(target.elts, values, strict=True):
                    self._assign(inner, item, scope)
            case ast.Subscript():
                self.native(SET_ITEM, (self.value(target.value, scope), self.value(target.slice, scope), value), {})
            case ast.Attribute():
                owner = self.value(target.value, scope)
                if not isinstance(owner, Instance):
                    raise Unsupported("an attribute of something else than an object")
                owner.fields[target.attr] = value
            case _:
                raise Unsupported(type(target).__name__)

    def _loop(self, node: ast.For, scope: Scope) -> None:
        for item in self._items(self.value(node.iter, scope)):
            self._assign(node.target, item, scope)
            try:
                self.run(node.body, scope)
            except Broken:
                return
            except Continued:
                continue
        self.run(node.orelse, scope)

    def _while(self, node: ast.While, scope: Scope) -> None:
        while self._truth(node.test, scope):
            try:
                self.run(node.body, scope)
            except Broken:
                return
            except Continued:
                continue
        self.run(node.orelse, scope)

    def _error(self, node: ast.Raise, scope: Scope) -> BaseException:
        value = self.value(node.exc, scope) if node.exc else None
        if isinstance(value, type) and issubclass(value, BaseException):
            return value()
        if isinstance(value, BaseException):
            return value
        raise Unsupported("a bare raise")

    def _try(self, node: ast.Try, scope: Scope) -> None:
        try:
            self.run(node.body, scope)
        except Raised as raised:
            handler = next((handler for handler in node.handlers if isinstance(raised.error, self._kinds(handler.type, scope))), None)
            if handler is None:
                raise
            if handler.name:
                scope.names[handler.name] = raised.error
            self.run(handler.body, scope)
        else:
            self.run(node.orelse, scope)
        finally:
            self.run(node.finalbody, scope)

    def _kinds(self, node: ast.expr | None, scope: Scope) -> tuple[type[BaseException], ...]:
        return errors_of(self.value(node, scope)) if node else (Exception,)

    def _with(self, node: ast.With, scope: Scope) -> None:
        context = self.value(node.items[0].context_expr, scope)
        if len(node.items) != 1 or not isinstance(context, Expected):
            raise Unsupported("a with statement")
        try:
            self.run(node.body, scope)
        except Raised as raised:
            if isinstance(raised.error, context.kinds):
                return
            raise
        raise Raised(AssertionError(f"{context.kinds[0].__name__} not raised"))

    # Expressions

    def value(self, node: ast.expr, scope: Scope) -> object:
        self._meter.charge()
        match node:
            case ast.Constant():
                return node.value
            case ast.Name():
                return scope.find(node.id)
            case ast.BinOp():
                return self._binary(type(node.op), self.value(node.left, scope), self.value(node.right, scope))
            case ast.UnaryOp():
                return self.native(UNARY[type(node.op)], (self.value(node.operand, scope),), {})
            case ast.BoolOp():
                return self._bool(node, scope)
            case ast.Compare():
                return self._compare(node, scope)
            case ast.IfExp():
                return self.value(node.body if self._truth(node.test, scope) else node.orelse, scope)
            case ast.List():
                return self._display(node.elts, scope)
            case ast.Tuple():
                return tuple(self._display(node.elts, scope))
            case ast.Set():
                return self.native(set, (self._display(node.elts, scope),), {})
            case ast.Dict():
                return self._dict(node, scope)
            case ast.Subscript():
                return self._subscript(node, scope)
            case ast.Slice():
                return slice(*(self.value(part, scope) if part else None for part in (node.lower, node.upper, node.step)))
            case ast.Call():
                return self._call(node, scope)
            case ast.Attribute():
                return self._attribute(self.value(node.value, scope), node.attr)
            case ast.Lambda():
                return self._function(node, scope)
            case ast.ListComp() | ast.GeneratorExp():
                return self._comprehension(node.elt, node.generators, scope)
            case ast.SetComp():
                return self.native(set, (self._comprehension(node.elt, node.generators, scope),), {})
            case ast.DictComp():
                pair = ast.Tuple([node.key, node.value], ast.Load())
                return self.native(dict, (self._comprehension(pair, node.generators, scope),), {})
            case ast.JoinedStr():
                return "".join(self._formatted(part, scope) for part in node.values)
            case _:
                raise Unsupported(type(node).__name__)

    def _truth(self, node: ast.expr, scope: Scope) -> bool:
        value = self.value(node, scope)
        return True if isinstance(value, Instance | Module) else bool(value)

    def _binary(self, kind: type[ast.operator], left: object, right: object) -> object:
        if kind not in BINARY or (kind is ast.Mod and isinstance(left, str)):
            raise Unsupported(kind.__name__)
        return self.native(BINARY[kind], (left, right), {})

    def _bool(self, node: ast.BoolOp, scope: Scope) -> object:
        value: object = None
        for part in node.values:
            value = self.value(part, scope)
            if bool(value) is isinstance(node.op, ast.Or):
                return value
        return value

    def _compare(self, node: ast.Compare, scope: Scope) -> object:
        left = self.value(node.left, scope)
        for kind, part in zip(node.ops, node.comparators, strict=True):
            right = self.value(part, scope)
            identity = isinstance(kind, ast.Is | ast.IsNot) or isinstance(left, Instance) or isinstance(right, Instance)
            compare = COMPARE[type(kind)]
            if not (compare(left, right) if identity else self.native(compare, (left, right), {})):
                return False
            left = right
        return True

    def _display(self, nodes: Sequence[ast.expr], scope: Scope) -> list[object]:
        values: list[object] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                values.extend(self._items(self.value(node.value, scope)))
            else:
                values.append(self.value(node, scope))
        for value in values:
            self._weigh(value)
        return values

    def _dict(self, node: ast.Dict, scope: Scope) -> object:
        pairs: list[object] = []
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                raise Unsupported("dictionary unpacking")
            pairs.append((self.value(key, scope), self.value(value, scope)))
        return self.native(dict, (pairs,), {})

    def _subscript(self, node: ast.Subscript, scope: Scope) -> object:
        return self.native(GET_ITEM, (self.value(node.value, scope), self.value(node.slice, scope)), {})

    def _call(self, node: ast.Call, scope: Scope) -> object:
        arguments = self._display(node.args, scope)
        keywords: dict[str, object] = {}
        for keyword in node.keywords:
            if keyword.arg is None:
                raise Unsupported("keyword unpacking")
            keywords[keyword.arg] = self.value(keyword.value, scope)
        return self.call(self.value(node.func, scope), arguments, keywords)

    def _attribute(self, owner: object, name: str) -> object:
        if isinstance(owner, Module):
            if name in owner.members:
                return owner.members[name]
            raise Unsupported(f"the member {name}")
        if isinstance(owner, Instance):
            if name in owner.fields:
                return owner.fields[name]
            member = owner.made_by.members.get(name)
            if member is None:
                raise Raised(AttributeError(name))
            return Bound(member, owner) if isinstance(member, Function) else member
        if isinstance(owner, Class) and name in owner.members:
            return owner.members[name]
        if name in METHODS.get(type(owner), frozenset()):
            method = cast(Native, getattr(owner, name))
            if name == "replace" and isinstance(owner, str):
                return partial(self._replaced, owner)
            return method
        raise Unsupported(f"the attribute {name}")

    def _replaced(self, owner: str, old: object, new: object) -> str:
        if not isinstance(old, str) or not isinstance(new, str):
            raise TypeError("replace() takes strings")
        if (len(owner) + 1) * (len(new) + 1) > SIZE_MAX * 64:
            raise Unsupported("a long replacement")
        return owner.replace(old, new)

    def _comprehension(self, node: ast.expr, generators: Sequence[ast.comprehension], scope: Scope) -> list[object]:
        made: list[object] = []
        inside = Scope(dict(scope.names), scope.module if scope.module is not None else scope)

        def draw(rest: Sequence[ast.comprehension]) -> None:
            if not rest:
                made.append(self.value(node, inside))
                return
            for item in self._items(self.value(rest[0].iter, inside)):
                self._assign(rest[0].target, item, inside)
                if all(self._truth(condition, inside) for condition in rest[0].ifs):
                    draw(rest[1:])

        draw(generators)
        self._sized(made)
        return made

    def _items(self, value: object) -> list[object]:
        if isinstance(value, str | list | tuple | dict | set | range) or type(value) in VIEWS:
            items = list(cast(Iterable[object], value))
            self._meter.charge(len(items))
            return items
        if isinstance(value, Instance | Module):
            raise Unsupported("iterating an object")
        raise Raised(TypeError("not iterable"))

    def _formatted(self, node: ast.expr, scope: Scope) -> str:
        if isinstance(node, ast.Constant):
            return str(node.value)
        if not isinstance(node, ast.FormattedValue) or node.conversion not in (-1, ord("r"), ord("s")):
            raise Unsupported("a format")
        value = self.value(node.value, scope)
        if isinstance(value, Instance | Function | Class | Bound):
            raise Unsupported("printing an object")
        spec = (
            "".join(self._formatted(part, scope) for part in node.format_spec.values) if isinstance(node.format_spec, ast.JoinedStr) else ""
        )
        if not FORMAT.match(spec):
            raise Unsupported("a format")
        return str(self.native(format, (repr(value) if node.conversion == ord("r") else value, spec), {}))


def errors_of(value: object) -> tuple[type[BaseException], ...]:
    """The exception classes that this value names."""
    items = cast(tuple[object, ...], value) if isinstance(value, tuple) else (value,)
    kinds = tuple(item for item in items if isinstance(item, type) and issubclass(item, BaseException))
    if not kinds:
        raise Unsupported("an unknown exception")
    return kinds


def _loaded(target: ast.expr) -> ast.expr:
    """An assignment's target as something to be read."""
    match target:
        case ast.Name():
            return ast.Name(target.id, ast.Load())
        case ast.Subscript():
            return ast.Subscript(target.value, target.slice, ast.Load())
        case ast.Attribute():
            return ast.Attribute(target.value, target.attr, ast.Load())
        case _:
            raise Unsupported(type(target).__name__)
