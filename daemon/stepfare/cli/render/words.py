"""Single values as words: money, rates, counts, times. Arithmetic stays exact; digits are dropped only here, on the way to the eye."""

from __future__ import annotations

import unicodedata
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

PUSD_PER_USD = 1_000_000_000_000
RATE_PER_USD = 1_000_000
"""A rate of a million picodollars per token is a dollar per million tokens."""
SMALL_SUM_DIGITS = 4
COLUMN_DIGITS = 5
"""Of the largest sum of a column; the others have as many decimals."""

SECOND_MS = 1000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
SPANS = ((DAY_MS, "d"), (HOUR_MS, "h"), (MINUTE_MS, "min"), (SECOND_MS, "s"))

UNPRICED = "unpriced"


def money(pusd: int | None) -> str:
    """`$12.34` from a dollar on, four significant digits below: `$0.4213`, `$0.00001250`. None is `unpriced`, which is not nothing."""
    if pusd is None:
        return UNPRICED
    sign = "-" if pusd < 0 else ""
    return f"{sign}${_digits(Decimal(abs(pusd)) / PUSD_PER_USD)}"


def money_like(pusd: int, largest_pusd: int) -> str:
    """A sum with as many decimals as the largest one that it stands under needs to show its leading digits."""
    largest = Decimal(abs(largest_pusd)) / PUSD_PER_USD
    places = 2 if not largest else max(2, COLUMN_DIGITS - 1 - largest.adjusted())
    return f"${_rounded(Decimal(pusd) / PUSD_PER_USD, places):,f}"


def coins(pusd: int) -> str:
    """For status bars, which want few and steady digits: `$0.42`; less than a cent is `<$0.01`."""
    if 0 < pusd < PUSD_PER_USD // 100:
        return "<$0.01"
    return f"${_rounded(Decimal(pusd) / PUSD_PER_USD, 2):,f}"


def rate(pusd_per_token: int) -> str:
    """Dollars per million tokens, all digits that count: `$3.00`, `$0.0125`."""
    exact = (Decimal(pusd_per_token) / RATE_PER_USD).normalize()
    places = max(2, -int(exact.as_tuple().exponent))
    return f"${_rounded(exact, places):,f}"


def count(number: int) -> str:
    return f"{number:,}"


def counted(number: int, one: str, many: str = "") -> str:
    """`1 step`, `2 steps`."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def share(part: int, whole: int) -> str:
    """`40 %`; an empty whole has no share. `100 %` and `0 %` are said of all and nothing only, not of almost."""
    if not whole:
        return "none"
    percent = 100 * part / whole
    if 0 < percent < 1:
        return "<1 %"
    return ">99 %" if 99 < percent < 100 else f"{percent:.0f} %"


def chance(probability: float) -> str:
    return f"{probability:.0%}".replace("%", " %")


def lasting(span_ms: int) -> str:
    """A span in its largest whole unit: `40 s`, `3 min`, `2 h`, `5 d`."""
    for unit_ms, unit in SPANS:
        if span_ms >= unit_ms:
            return f"{span_ms // unit_ms} {unit}"
    return "0 s"


def ago(then_ms: int, now_ms: int) -> str:
    """`just now`, `3 min ago`. A time to come (another clock) reads as now."""
    span_ms = now_ms - then_ms
    return "just now" if span_ms < 10 * SECOND_MS else f"{lasting(span_ms)} ago"


def clean(text: str) -> str:
    """The text on one line, without control characters: a title comes from a prompt, and must not steer the terminal."""
    return " ".join("".join(" " if unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp") else char for char in text).split())


def short_path(path: str) -> str:
    """The path with the home folder as `~`."""
    if not path:
        return ""
    try:
        below = Path(path).relative_to(Path.home())
    except (ValueError, RuntimeError):
        return clean(path)
    return clean(f"~/{below.as_posix()}" if below.parts else "~")


def _digits(usd: Decimal) -> str:
    if usd == 0:
        return "0.00"
    if usd >= 1:
        return f"{_rounded(usd, 2):,f}"
    # adjusted() is the place of the first digit that is not 0: -1 for tenths.
    small = _rounded(usd, SMALL_SUM_DIGITS - 1 - usd.adjusted())
    return f"{small:f}" if small < 1 else "1.00"


def _rounded(value: Decimal, places: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)
