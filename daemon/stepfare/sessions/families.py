"""Which sessions are one task to the person who waits for it: a session, its subagents and theirs, and forks of them.

Each is booked, recognised and listed by itself; what they cost together is summed by whoever asks.
"""

from __future__ import annotations

from stepfare.sessions.index import SessionIndex
from stepfare.sessions.shown import Shown


def family_of(session: str, parent: str, index: SessionIndex, shown: Shown) -> tuple[str, ...]:
    """The sessions as shown that belong to one task with this one (it among them), the one that it all began with first.

    `parent` is what its opening names. Of subagents those are found that are remembered; a parent is known by name, remembered or not.
    """
    found = [_top(session, parent, index, shown)]
    for one in found:  # It grows while it is walked through: the children of the children.
        for piece in shown.pieces(one):
            # One that was merged is found with what it was merged into.
            found.extend(child for child in index.children(piece.session) if child not in found and child not in shown.into)
    # A part that was split off, or one whose parent was merged elsewhere, is at least its own family.
    return tuple(found if session in found else [*found, session])


def _top(session: str, parent: str, index: SessionIndex, shown: Shown) -> str:
    climbed = [session]
    while parent and (above := shown.whole(parent)) not in climbed:
        climbed.append(above)
        known = index.get(above)
        parent = known.parent if known else ""
    return climbed[-1]
