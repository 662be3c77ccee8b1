"""Brings the daemon to life: reads files and environment, opens the books, folds the journal, closes as Lost what a crash left open."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from stepfare import __version__
from stepfare.config.check import Checked
from stepfare.config.dotfile import DOTFILE_NAME
from stepfare.config.schema import Settings
from stepfare.control.client import last_daemon_file
from stepfare.control.protocol import PROTOCOL, DaemonFile, Event
from stepfare.core.entry import Lost
from stepfare.core.model import Model
from stepfare.paths import Paths, write_private
from stepfare.runtime.answering import Daemon
from stepfare.runtime.books import Books
from stepfare.runtime.clock import World
from stepfare.runtime.finding import Finder
from stepfare.runtime.hub import Hub
from stepfare.runtime.keeping import Keeper
from stepfare.runtime.ledger_at import open_books, user_of
from stepfare.runtime.own_weights import weights_at_hand
from stepfare.runtime.play import SETTINGS_NAME, play_of, read_settings
from stepfare.runtime.renewing import prices_at_hand, renew, renewed_today
from stepfare.runtime.spend import Payer
from stepfare.runtime.state import Play, State
from stepfare.runtime.surroundings import GIT_FILES
from stepfare.runtime.thinning import thin_daily
from stepfare.runtime.watch import Watch
from stepfare.runtime.workspaces import Workspace
from stepfare.sessions.shown import Shown
from stepfare.store.errors import StoreError
from stepfare.store.store import Store
from stepfare.upstream.client import Upstream
from stepfare.upstream.listing import NoList

REMEMBERED_MS = 7 * 86_400_000
"""Sessions that were heard of in this time are recognised again after a restart."""
TOKEN_VARIABLE = "STEPFARE_TOKEN"
TOKEN_BYTES = 24
MEET_EVERY_S = 1.0
"""How soon books that were not reached at the start are tried again."""
UNMET = (
    "The books were not reached since this daemon started, so what has been spent is not known here, and no cap can be held:"
    " calls are refused until they are, which is tried every second."
)
FOLDED_AT_ONCE = 200
"""Entries that are folded in before others get their turn: some milliseconds."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class House:
    """The running daemon: what requests act with, and what must be put away at the end."""

    paths: Paths
    environ: Mapping[str, str]
    world: World
    store: Store
    state: State
    hub: Hub
    books: Books
    upstream: Upstream
    keeper: Keeper
    local_token: str
    control_token: str
    started_ms: int
    simulator_url: str = ""
    watch: Watch | None = None
    finder: Finder | None = None
    """Looks for models of this machine; None where nobody looks."""
    _opened: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once all is known that the books hold."""
    _errands: list[asyncio.Task[None]] = field(default_factory=list[asyncio.Task[None]])
    """What is asked of the world outside at start; nobody waits for it."""
    _stop_simulator: Callable[[], Awaitable[None]] | None = field(default=None)
    _opening: asyncio.Task[None] | None = None

    @property
    def daemon(self) -> Daemon:
        return Daemon(self.world, self.state, self.books, self.upstream, self.keeper)

    async def reload(self) -> None:
        """Read settings and project files again; what changed is in force from the next decision on."""
        settings = read_settings(self.paths, self.state.play.settings)
        await self._play_on(settings)
        self.state.workspaces.look_again()
        await self.look_around()
        self.hub.publish(Event(seq=0, kind="settings", at_ms=self.world.now_ms(), words=f"{SETTINGS_NAME} was read again"))

    async def look_around(self) -> None:
        """Ask the servers of this machine for their models, once a minute at most; what is found is known from the next decision on."""
        if self.finder is None:
            return
        async with self.finder.one_at_a_time:
            providers = self.state.play.catalog.providers.values()
            if await self.finder.look(providers, self.world.now_ms(), wanted=self.state.settings.local.discover):
                await self._play_on(self.state.play.settings)
                words = f"{len(self.finder.found)} models were found on this machine"
                self.hub.publish(Event(seq=0, kind="settings", at_ms=self.world.now_ms(), words=words))

    def start_looking(self) -> None:
        """From now on models of this machine are looked for, and newer prices where the user asked for them."""
        self.finder = Finder(self.environ)
        self._errands.append(asyncio.create_task(self.look_around()))
        if self.state.settings.prices.update:
            self._errands.append(asyncio.create_task(self._renew_prices()))

    def start_keeping(self) -> None:
        """From now on caches that are about to die are kept alive where that pays."""
        self._errands.append(asyncio.create_task(self.keeper.run()))

    def start_thinning(self) -> None:
        """From now on old reasons are removed, as the settings of the start say."""
        self._errands.append(asyncio.create_task(self._thin()))

    async def _thin(self) -> None:
        await self._opened.wait()
        await thin_daily(self.store, self.world, self.state.settings.ledger.keep_days)

    def start_opening(self) -> None:
        """Begin to open the books; nobody is to be served before they are `opened`."""
        self._opening = asyncio.create_task(self.open_books())

    async def opened(self) -> None:
        """Returns when all is known that the books hold, or that they cannot be reached: who is served earlier would be served as if
        nothing had been before. Raises StoreError."""
        assert self._opening is not None, "nobody has begun to open the books"
        # Shielded: a client that leaves must not take the memory with it.
        await asyncio.shield(self._opening)

    async def open_books(self) -> None:
        """Fold what the books hold. Where their server cannot be reached yet, calls are refused until it is, which is tried beside."""
        why = self.store.unmet
        if not why:
            try:
                await self._take_up()
            except StoreError as error:
                if not self.store.shared:
                    raise
                why = str(error)  # Its server went away meanwhile.
        if why:
            self._unmet(why)
            self._errands.append(asyncio.create_task(self._meet()))

    async def _take_up(self) -> None:
        for words in self.store.problems:
            self.state.trouble("ledger", words)
        await _remember(self)
        self._opened.set()

    async def _meet(self) -> None:
        while self.books.unmet:
            await asyncio.sleep(MEET_EVERY_S)
            try:
                await self.store.meet()
                await self._take_up()
            except StoreError as error:
                self._unmet(str(error))
            except Exception as error:  # noqa: BLE001 (whatever it is: nobody else would ever try again, nor hear of it)
                _log.exception("the books could not be taken up")
                self._unmet(f"The books could not be taken up ({type(error).__name__}: {error}); the log has more.")
            else:
                self._unmet("")
        _log.warning("the books were reached: calls are served from now on")
        self.hub.publish(Event(seq=0, kind="settings", at_ms=self.world.now_ms(), words="the books were reached"))

    def _unmet(self, why: str) -> None:
        words = f"{why} {UNMET}" if why else ""
        if words and not self.books.unmet:
            _log.warning("%s", words)
        self.books.unmet = words
        self.state.trouble("books", words)

    async def _renew_prices(self) -> None:
        if renewed_today(self.paths, self.world.now_ms()):
            return
        try:
            fetched = await renew(self.paths, self.state.settings, self.world.now_ms(), accept=False)
        except (NoList, OSError) as trouble:
            _log.warning("prices: %s", trouble)
            return
        for change in fetched.changes:
            _log.info("prices: %s%s", "held back: " if change.held else "", change.words)
        await self._play_on(self.state.play.settings)

    async def _play_on(self, settings: Checked[Settings]) -> None:
        play = self._play(settings)
        if play.simulated and not self.simulator_url:
            await self.simulate()
            play = self._play(settings)
        self.state.replace_play(play)

    def _play(self, settings: Checked[Settings]) -> Play:
        found = self.finder.found if self.finder else ()
        return _play_of(self.paths, settings, self.environ, self.simulator_url, found)

    def _changed(self) -> None:
        self.books.spawn(self.reload())

    async def simulate(self) -> None:
        from stepfare.simulator.app import start  # Who has a key never needs it.

        self.simulator_url, self._stop_simulator = await start()

    def announce(self, host: str, port: int) -> None:
        """Write `daemon.json`, by which clients, command line and editors find this daemon."""
        file = DaemonFile(
            protocol=PROTOCOL,
            version=__version__,
            pid=os.getpid(),
            host=host,
            port=port,
            started_ms=self.started_ms,
            local_token=self.local_token,
            control_token=self.control_token,
        )
        write_private(self.paths.daemon_json, file.model_dump_json(indent=2).encode() + b"\n")

    def watch_workspace(self, workspace: Workspace) -> None:
        """From now on a change of this workspace's file, and of what git has checked out there, is noticed without a request."""
        if self.watch is not None and workspace.root:
            for folder in {workspace.folder, workspace.root, workspace.git} - {""}:
                self.watch.add(folder)

    def start_watching(self) -> None:
        self.paths.config_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        looks = dict.fromkeys(GIT_FILES, self.state.surroundings.look_again)
        self.watch = Watch({SETTINGS_NAME: self._changed, DOTFILE_NAME: self._changed, **looks})
        self.watch.add(self.paths.config_dir)
        self.state.workspaces.on_news = self.watch_workspace

    async def close(self) -> None:
        """Put everything away: what is being posted is on disk afterwards."""
        if self.watch is not None:
            await asyncio.to_thread(self.watch.close)
        tasks = [*self._errands, *([self._opening] if self._opening else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.books.finish()
        await self.upstream.close()
        self.state.tokenizer.close()
        self.state.surroundings.close()
        if self._stop_simulator is not None:
            await self._stop_simulator()
        await self.store.close()


async def wake(paths: Paths, environ: Mapping[str, str], world: World | None = None) -> House:
    """The daemon, ready to listen; who wants to be served waits until it has `opened` its books. Raises StoreError where they cannot be."""
    world = world or World()
    last = last_daemon_file(paths)
    settings = read_settings(paths)
    store = await asyncio.to_thread(open_books, settings, paths, environ, world.now_ms)
    state = State(_play_of(paths, settings, environ), world)
    state.user = user_of(settings.value.ledger)
    if store.shared:
        state.budgets.belong_to(state.user)
    state.lessons.load(paths.lessons_json)
    hub = Hub()
    books, upstream = Books(store, state, hub, world), Upstream()
    house = House(
        paths=paths,
        environ=environ,
        world=world,
        store=store,
        state=state,
        hub=hub,
        books=books,
        upstream=upstream,
        keeper=Keeper(world, state, books, upstream),
        # The local token outlives the daemon: clients have it in their settings.
        local_token=environ.get(TOKEN_VARIABLE, "").strip() or (last.local_token if last else "") or secrets.token_urlsafe(TOKEN_BYTES),
        control_token=secrets.token_urlsafe(TOKEN_BYTES),
        started_ms=world.now_ms(),
    )
    if state.play.simulated:
        await house.simulate()
        state.replace_play(_play_of(paths, settings, environ, house.simulator_url))
        _log.warning("no provider has a key: the built-in simulator answers, with play money")
    house.start_opening()
    return house


def _play_of(
    paths: Paths, settings: Checked[Settings], environ: Mapping[str, str], simulator_url: str = "", found: Sequence[Model] = ()
) -> Play:
    prices, problems = prices_at_hand(paths)
    weights, stale = weights_at_hand(paths)
    play = play_of(settings, environ, simulator_url, found, prices)
    return replace(play, problems=(*problems, *stale, *play.problems), weights=weights)


async def _remember(house: House) -> None:
    """Fold what the journal holds of late, then close as Lost what a crash left open."""
    now_ms = house.world.now_ms()
    said = await house.store.annotations()
    house.state.shown = Shown.of_all(said)
    budgets = house.state.budgets
    periods = (budgets.day, budgets.month, budgets.team)
    known = await house.store.remembered(now_ms - REMEMBERED_MS, [period.start_ms for period in periods])
    left = await house.store.left_open(now_ms)
    # Nothing is asked of the books from here on, so that it is done whole or not at all, and may be done again.
    for number, entry in enumerate((*known.entries, *known.extensions)):
        if number % FOLDED_AT_ONCE == 0:
            await asyncio.sleep(0)  # Whoever asks whether this daemon is well has an answer meanwhile.
        house.state.apply(entry)
    # What was folded in holds the latest sessions only; the books' own sums hold all.
    for period in periods:
        period.start_from(known.spent[period.start_ms], [(Payer(place.project, place.who), one) for one, place in known.still_open])
    house.store.follow(known.row, house.books.heard, len(said), house.books.remarked)
    for reserved in left:
        await house.books.close(Lost(reserved.attempt, reserved.session, now_ms, reserved.ceiling_pusd))
        _log.warning("attempt %s was open when the daemon ended: it is booked as lost, at most at its ceiling", reserved.attempt)
