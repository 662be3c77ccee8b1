"""The table of commands as an editor shows it: code actions, which are a palette in editors that have no other, and a status bar's menu."""

from __future__ import annotations

from collections.abc import Iterable

from lsprotocol import types

from stepfare_lsp.base import StepfareServer
from stepfare_lsp.features.offers import Offer, scene
from stepfare_lsp.features.table import ROWS, Row
from stepfare_lsp.wire import Menu, MenuItem

PALETTE_KIND = "source.stepfare"


def code_actions(ls: StepfareServer, file: str) -> list[types.CodeAction]:
    """What can be done now, for an editor that looks at this file."""
    return [
        types.CodeAction(
            title=f"stepfare: {offer.title}",
            kind=PALETTE_KIND,
            command=types.Command(f"stepfare: {offer.title}", row.id, arguments=[dict(offer.arguments)]),
        )
        for row, offer in _offered(ls, file)
    ]


def menu(ls: StepfareServer, file: str = "") -> Menu:
    """The same, as a click on the status bar shows it."""
    return Menu(
        items=[
            MenuItem(
                label=offer.title[:1].upper() + offer.title[1:], detail=offer.detail, command=row.id, arguments=[dict(offer.arguments)]
            )
            for row, offer in _offered(ls, file)
        ]
    )


def _offered(ls: StepfareServer, file: str) -> Iterable[tuple[Row, Offer]]:
    here = scene(ls, file)
    return ((row, offer) for row in ROWS for offer in row.offers(here))
