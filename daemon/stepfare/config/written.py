"""Single values as a person writes them: money, references to keys, dates and hours. Each is turned into what the daemon uses."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from stepfare.config.globs import BadGlob, compiled

USD_DECIMALS_MAX = 12
"""A dollar has 10^12 picodollars, so finer amounts do not exist."""
RATE_DECIMALS_MAX = 6
"""A dollar per million tokens is 10^6 picodollars per token."""
USD_MAX = 1_000_000

_KEY_REFERENCE = re.compile(r"(?:env:[A-Za-z_][A-Za-z0-9_]*|(?:keyring|file):\S(?:.*\S)?)")
_HOURS = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")


def _wrong(words: str) -> PydanticCustomError:
    # Words go through a field, so that braces in them stay braces.
    return PydanticCustomError("wrong", "{words}", {"words": words})


def _exact(value: object, decimals: int, finest: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise _wrong("must be a number of US dollars, such as 2.50")
    amount = Decimal(value)
    if not amount.is_finite() or amount < 0 or amount > USD_MAX:
        raise _wrong(f"must be between 0 and {USD_MAX:,} US dollars")
    exponent = amount.normalize().as_tuple().exponent
    assert isinstance(exponent, int)  # it is finite
    if -exponent > decimals:
        raise _wrong(f"has more than {decimals} decimals, which is finer than {finest}")
    return int(amount.scaleb(decimals))


def _dollars(value: object) -> int:
    return _exact(value, USD_DECIMALS_MAX, "a picodollar, the smallest unit of the books")


def _rate(value: object) -> int:
    return _exact(value, RATE_DECIMALS_MAX, "a picodollar per token, the smallest unit of the books")


def _share(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not 0 < value <= 1:
        raise _wrong("must be a share above 0 and up to 1, such as 0.8")
    return float(value)


def _path_glob(value: object) -> str:
    if not isinstance(value, str):
        raise _wrong('must be a text such as "src/crypto/**"')
    try:
        compiled([value])
    except BadGlob as error:
        raise _wrong(str(error)) from None
    return value


def _key_reference(value: object) -> str:
    # The value is never repeated: it may be the secret itself, pasted in the wrong place.
    if not isinstance(value, str) or not _KEY_REFERENCE.fullmatch(value):
        raise _wrong("must say where the key is: env:NAME, keyring:NAME or file:PATH; the key itself is never written here")
    return value


def _base_url(value: object) -> str:
    if not isinstance(value, str):
        raise _wrong("must be a text such as http://127.0.0.1:9000/v1")
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise _wrong("is not an address; write one such as http://127.0.0.1:9000/v1") from None
    if parts.scheme not in ("http", "https") or not host or re.search(r"\s", value):
        raise _wrong("is not an http or https address; write one such as http://127.0.0.1:9000/v1")
    if parts.username is not None or parts.password is not None:
        raise _wrong("must not hold a name or a password; say where the key is with api_key")
    if parts.query or parts.fragment:
        raise _wrong("must not have a ? or # part")
    return value.rstrip("/")


def _ledger_url(value: object) -> str:
    # Never repeated: it may hold a password.
    if value == "sqlite":
        return "sqlite"
    if not isinstance(value, str):
        raise _wrong("must be a text: sqlite, or postgresql://USER@HOST/DATABASE")
    try:
        parts = urlsplit(value)
        _ = parts.hostname, parts.port
    except ValueError:
        raise _wrong("is not an address; write one such as postgresql://ann@db.example.org/stepfare") from None
    if parts.scheme not in ("postgresql", "postgres") or re.search(r"\s", value):
        raise _wrong("must be sqlite, or postgresql://USER@HOST/DATABASE")
    if parts.password is not None or "password" in parts.query:
        raise _wrong('must not hold a password; say where it is, with password = "env:NAME" beside it')
    return value


def _day(value: object) -> int:
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value)
        except ValueError:
            value = None
    if isinstance(value, datetime) or not isinstance(value, date):
        raise _wrong('must be a day such as "2027-01-01"')
    return int(datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp()) * 1000


def _hours(value: object) -> tuple[int, int]:
    match = _HOURS.fullmatch(value) if isinstance(value, str) else None
    if match is not None:
        start_hour, start_minute, end_hour, end_minute = (int(part) for part in match.groups())
        start, end = start_hour * 60 + start_minute, end_hour * 60 + end_minute
        if start_minute < 60 and end_minute < 60 and start < 24 * 60 and end <= 24 * 60 and start != end:
            return start, end
    raise _wrong('must be hours of the day in UTC such as "01:00-04:00"')


def _listed(value: object) -> Any:
    # A lone text where a list belongs: what is meant is plain, and to drop a deny list would be the worse reading.
    return (value,) if isinstance(value, str) else value


Dollars = Annotated[int, BeforeValidator(_dollars), WithJsonSchema({"type": "number", "minimum": 0, "maximum": USD_MAX})]
"""US dollars in the file, picodollars here."""
Rate = Annotated[int, BeforeValidator(_rate), WithJsonSchema({"type": "number", "minimum": 0, "maximum": USD_MAX})]
"""US dollars per million tokens in the file, picodollars per token here."""
Share = Annotated[float, BeforeValidator(_share), WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": 1})]
PathGlob = Annotated[str, BeforeValidator(_path_glob), WithJsonSchema({"type": "string", "minLength": 1})]
KeyReference = Annotated[str, BeforeValidator(_key_reference)]
"""Where a secret is; never the secret."""
BaseUrl = Annotated[str, BeforeValidator(_base_url)]
LedgerUrl = Annotated[str, BeforeValidator(_ledger_url)]
"""`sqlite`, or the address of a PostgreSQL database without a password."""
Day = Annotated[int, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]
"""A day in the file; its first millisecond in UTC here."""
Hours = Annotated[tuple[int, int], BeforeValidator(_hours), WithJsonSchema({"type": "string"})]
"""HH:MM-HH:MM in the file; (start, end) in minutes of the UTC day here, end exclusive. A span may pass midnight."""
Listed = BeforeValidator(_listed)
"""Takes a lone text for a list of one."""
