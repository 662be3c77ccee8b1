"""`stepfare budget set`: caps in the user's own config.toml. Its layout and its comments stay, and what a value may be is said by its
schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path

import tomlkit
from tomlkit.items import Item

from stepfare.cli.asking import USAGE, Trouble
from stepfare.cli.connect import files, toml_text
from stepfare.cli.connect.json_text import Unsuitable
from stepfare.config.check import check_settings
from stepfare.core.money import PUSD_PER_USD

TABLE = "budget"
OFF = "off"
CENT_DECIMALS = 2


def set_caps(path: Path, wanted: Mapping[str, str]) -> Mapping[str, int | None]:
    """Write these keys of [budget] (dollars, or `off` to remove one) into the file at `path`, which is made where it is missing; what is
    in force then, in picodollars. Raises Trouble; then nothing was written."""
    dollars = {key: _dollars(text) for key, text in wanted.items()}
    try:
        file = files.read(path)
        before = after = file.text or ""
        for key, amount in dollars.items():
            after = toml_text.drop(after, (TABLE, key)) if amount is None else toml_text.put(after, (TABLE, key), _literal(amount))
    except Unsuitable as problem:
        raise Trouble("settings", f"{path} was left as it is, since {problem}. Mend it, then set the budget again.") from problem
    known = {one.words for one in check_settings(before, path.name).problems}
    found = check_settings(after, path.name)
    wrong = next((one for one in found.problems if one.words not in known), None)
    if wrong is not None:
        raise Trouble("usage", f"That cannot be a budget: {wrong.words} Nothing was written.", USAGE)
    if after != before:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            files.write(file, after, secret=True)
        except OSError as problem:
            raise Trouble("settings", f"{path} cannot be written ({problem.strerror or problem}): it was left as it is.") from problem
    return {key: None if amount is None else int(amount * PUSD_PER_USD) for key, amount in dollars.items()}


def _dollars(text: str) -> Decimal | None:
    if text.strip().lower() == OFF:
        return None
    try:
        amount = Decimal(text.strip().removeprefix("$"))
    except InvalidOperation:
        amount = Decimal("nan")
    if not amount.is_finite():
        raise Trouble("usage", f"{text!r} is no sum of dollars. Write one such as 25 or 2.50, or `{OFF}` to have no cap.", USAGE)
    return amount


def _literal(amount: Decimal) -> Item:
    """As a person writes it: 25.00."""
    exponent = amount.normalize().as_tuple().exponent
    return tomlkit.value(f"{amount:.{max(CENT_DECIMALS, -int(exponent))}f}")
