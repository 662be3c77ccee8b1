"""What a reservation asks of budgets that several daemons spend from: room for its ceiling under each cap, found and taken in one step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from stepfare.ledger.groups import Place


class Heap(StrEnum):
    """Whose spending counts."""

    SESSION = "session"
    PROJECT = "project"
    USER = "user"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Purse:
    """What was settled or lost since a time (the beginning of a quarter of an hour), and all that is reserved, in one heap.

    `name` is that of the session, project or user; empty for all. `merged` are sessions that count with that one.
    """

    heap: Heap
    name: str = ""
    since_ms: int = 0
    merged: tuple[str, ...] = ()

    def holds(self, session: str, place: Place) -> bool:
        """Whether what that session spends counts."""
        match self.heap:
            case Heap.SESSION:
                return session == self.name or session in self.merged
            case Heap.PROJECT:
                return place.project == self.name
            case Heap.USER:
                return place.who == self.name
            case Heap.ALL:
                return True


@dataclass(frozen=True, slots=True)
class Claim:
    """A purse may hold so many picodollars, the reservation that claims it included. `seen_pusd` is what it held when the claim was made,
    as far as who claims had heard."""

    purse: Purse
    limit_pusd: int
    seen_pusd: int = 0

    def short_pusd(self, used_pusd: int, ceiling_pusd: int | None) -> int:
        """What is missing for a call that may cost so much (None: nobody knows); 0 where there is room. What is free always has room."""
        if ceiling_pusd is None:
            return max(0, used_pusd - self.limit_pusd + 1)
        return max(0, used_pusd + ceiling_pusd - self.limit_pusd) if ceiling_pusd else 0


@dataclass(slots=True)
class Shares:
    """What a daemon may spend while the books cannot be asked: of each purse its equal part of what was left when it last heard of them.

    All daemons together then spend no more than was left, as long as all heard the same. Where one alone is cut off, the others do not
    know of it: together they may pass the cap by its share.
    """

    _held: dict[Purse, int] = field(default_factory=dict[Purse, int])
    """What each purse held when the books were last heard of."""

    def beyond(self, claims: Sequence[Claim], ceiling_pusd: int | None, daemons: int) -> Claim | None:
        """The claim for which the share has no room; None where all have. `daemons` share the books (0: nobody knows, so there is none)."""
        for claim in claims if ceiling_pusd != 0 else ():
            held_pusd = self._held.setdefault(claim.purse, claim.seen_pusd)
            share_pusd = max(0, claim.limit_pusd - held_pusd) // daemons if daemons else 0
            if Claim(claim.purse, held_pusd + share_pusd).short_pusd(claim.seen_pusd, ceiling_pusd):
                return claim
        return None

    def end(self) -> None:
        """The books can be asked again."""
        self._held.clear()


class OverCap(Exception):
    """No room under a cap: others have spent or reserved it. Nothing was reserved."""

    def __init__(self, claim: Claim, used_pusd: int) -> None:
        super().__init__(f"{claim} has {used_pusd} used or reserved")
        self.claim, self.used_pusd = claim, used_pusd
