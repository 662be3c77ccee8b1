"""Who may come in: hosts and origins that are ours, and the right token for the right door."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hmac import compare_digest
from ipaddress import ip_address

WILDCARDS = frozenset({"0.0.0.0", "::"})
SECRET_HEADERS = frozenset({"authorization", "x-api-key", "cookie", "proxy-authorization"})
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})


def foreign(headers: Mapping[str, str], host: str, names: Sequence[str] = ()) -> str | None:
    """Why a request does not come from a program of this machine's user; None where nothing speaks against it.

    A web page can send requests to loopback; it cannot hide its Origin, and a name that was rebound to loopback stays in Host.
    `names` are others that the user gave this daemon: those of a service or a load balancer before it.
    """
    asked = headers.get("host", "")
    name = asked.rpartition(":")[0] if asked.rpartition(":")[2].isdigit() and not asked.endswith("]") else asked
    ours = LOOPBACK_HOSTS | {host.lower(), f"[{host.lower()}]", *(known.lower() for known in names)}
    # Who listens everywhere is asked by any of its addresses; a rebound name is a name, never an address.
    everywhere = host in WILDCARDS and _is_address(name)
    if name.lower() not in ours and not everywhere:
        return f"this daemon does not answer for the host {name[:100]!r}; use 127.0.0.1 or localhost"
    origin = headers.get("origin")
    if origin is not None:
        _, _, place = origin.partition("://")
        site = place.rpartition(":")[0] if place.rpartition(":")[2].isdigit() else place
        if (site.lower() not in ours and not everywhere) or place.lower() != asked.lower():
            return "requests from web pages of other origins are refused"
    return None


def _is_address(name: str) -> bool:
    try:
        ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def token_of(headers: Mapping[str, str]) -> str:
    """The token that a client sends, by either header in use."""
    kind, _, secret = headers.get("authorization", "").partition(" ")
    return (secret.strip() if kind.lower() == "bearer" else "") or headers.get("x-api-key", "").strip()


def admitted(sent: str, token: str) -> bool:
    """Whether the token is right, compared in constant time."""
    return compare_digest(sent.encode("utf-8", "replace"), token.encode())


def without_secrets(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers as a request may keep them: lower-case names, no secrets, and nothing that could not be sent again."""
    return {name.lower(): _plain(value) for name, value in headers.items() if name.lower() not in SECRET_HEADERS}


def _plain(value: str) -> str:
    """Bytes that are no UTF-8 cannot be sent again."""
    return value if value.isascii() else value.encode("utf-8", "replace").decode()
