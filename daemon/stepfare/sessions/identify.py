"""Which session a request belongs to: the client's own id where it sends one, else what a conversation repeats of itself.

Pure: a request and the index in, an identity out. Minting an id for a new session is left to the runtime.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from stepfare.core.request import RequestView, Role
from stepfare.sessions.conversation import TURNS_SEARCHED_MAX, Conversation, same_words
from stepfare.sessions.index import SessionIndex, Trail
from stepfare.sessions.named import named
from stepfare.sessions.quoting import quoted_in

SIDE_CALL_WINDOW_MS = 10 * 60_000
"""How long after a session's last step a side call without marks of its own is still held to serve it."""

SPOKEN_MIN = 3
"""So many answers in a row are the same by chance in no two conversations that begin with the same words."""

_GOES_BACK = "it goes back to an earlier point of another session"
_COUNTED = re.compile(r"[A-Za-z_.:\-]*\d{0,4}(?:[:_.\-]\d{1,4})?\Z")
"""Ids of tool calls that some models number anew in each conversation: `call_0`, `functions.read:3`. They prove nothing by themselves."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """How a conversation begins: the digest of the first words that a human said (empty: nobody knows them), and whether the client has
    put something of its own in their place."""

    words: str = ""
    rewritten: bool = False


@dataclass(frozen=True, slots=True)
class Identity:
    """`session` is empty for a session that nobody has seen yet. `step` is that of the call which this one repeats because it was
    never answered to its end, or 0. `chain` and `tail` are what its next request is recognised by."""

    session: str
    step: int
    parent: str
    chain: str
    because: str
    tail: str = ""


def identify(
    view: RequestView,
    index: SessionIndex,
    *,
    client: str,
    workspace: str,
    side: str,
    now_ms: int,
    beginning: Beginning = Beginning(),
) -> Identity:
    """Find the session of a request. `client`, `workspace`, `side` and `beginning` are what the steps' features say of it."""
    told = named(view)
    asked = _Asked(view, index, client, workspace, side, now_ms, beginning, told.parent)
    if told.session:
        return asked.known(told.session, "the client says so", parent=told.parent)
    found = next((identity for rule in RULES if (identity := rule(asked)) is not None), None)
    return found or asked.unknown("nothing of it was seen before")


@dataclass(frozen=True)
class _Asked:
    """A request held against the sessions that are known."""

    view: RequestView
    index: SessionIndex
    client: str
    workspace: str
    side: str
    now_ms: int
    beginning: Beginning
    parent: str
    """Whom the client names as the parent of a session that it does not name."""

    @cached_property
    def talk(self) -> Conversation:
        return Conversation(self.view)

    @property
    def chains(self) -> tuple[str, ...]:
        return self.talk.chains

    def trail(self, session: str) -> Trail:
        return self.index.trail(session) or Trail()

    # Who may it be?

    def fits(self, session: str) -> bool:
        """Whether client and folder, where both are known, speak for this session."""
        known = self.index.get(session)
        elsewhere = known is not None and bool(self.workspace and known.workspace and known.workspace != self.workspace)
        return known is not None and known.client == self.client and not elsewhere

    def alike(self, session: str) -> bool:
        """The same, and that it began with the same words, where those are known: other words are another session, whatever else they
        have in common."""
        begins = self.trail(session).begins
        return self.fits(session) and not (self.beginning.words and begins and begins != self.beginning.words)

    @cached_property
    def last_call(self) -> tuple[int, Sequence[tuple[str, int]]]:
        """The place of the last known tool call of this conversation, and the sessions that were given it, each with the step in which it
        was."""
        for place, call_id in self.talk.calls():
            owners = self.index.with_call(call_id)
            if owners and (len(owners) > 1 or _COUNTED.match(call_id)):
                owners = [session for session in owners if self.alike(session) and self._called_at(session, place)]
            if owners:
                return place, [(session, self.trail(session).calls.get(call_id, 0)) for session in owners]
        return 0, ()

    def _called_at(self, session: str, place: int) -> bool:
        """Whether a call that may only be called like one of this session's stands where that session was given one last, with
        the same words: behind its last turn, or before its last answer."""
        trail = self.trail(session)
        if not trail.answered:
            return True
        if trail.last_chain in self.chains:
            return self.talk.said_next(self.after(session)) == trail.last_reply
        before = self.talk.tail_before_answer(place)
        if not before or not trail.last_tail:
            return True
        if same_words(trail.last_tail, before):
            return not trail.called_last or self.talk.said_around(place) == trail.last_reply
        # Or it said something since, without a call.
        return not trail.called_last and any(at > place and said == trail.last_reply for at, said in self.talk.answers)

    @cached_property
    def sent_before(self) -> tuple[str, Sequence[str]]:
        """The longest beginning of this conversation that was sent before, and by whom."""
        for chain in dict.fromkeys(reversed(self.chains)):
            owners = [session for session in self.index.with_chain(chain) if self.fits(session)]
            if owners:
                return chain, owners
        return "", ()

    # Where does it stand?

    def after(self, session: str) -> int:
        """The place behind the last request of this session, with which this one begins."""
        return self.chains.index(self.trail(session).last_chain) + 1

    def goes_on(self, session: str) -> bool:
        """Whether behind the last request of this session there is what it was answered, where that said anything, and no other answer."""
        trail, place = self.trail(session), self.after(session)
        if not trail.answered:
            return self.talk.answers_from(place) == 0
        return trail.last_reply in ("", self.talk.said_next(place)) and self.talk.answers_from(place) <= 1

    def missed(self, session: str, place: int) -> bool:
        """Whether another session that began so was answered what stands behind this place, and this one never was."""
        heard = self.trail(session).replies
        since = [said for at, said in self.talk.answers if at > place and said not in heard]
        return any(self.alike(other) for said in since for other in self.index.with_reply(said))

    def gone_on(self, session: str, place: int) -> bool:
        """Whether this session has asked already what stands up to somewhere behind this place."""
        asked = self.trail(session).chains
        return any(chain in asked for chain in self.chains[place:])

    # Which of several is it?

    def told_apart(self, sessions: Sequence[str]) -> str:
        """Of sessions whose last requests this one begins with: twins that asked the same differ by what they were answered, or by the hour
        that their clients wrote beside it; where even that is equal, the one that waited longest goes on."""
        echoed = [session for session in sessions if self.talk.said_next(self.after(session)) == self.trail(session).last_reply != ""]
        found = echoed or sessions
        exact = [session for session in found if self.talk.tail_before(self.after(session)) == self.trail(session).last_tail]
        return (exact or found)[0]

    def likeliest(self, sessions: Sequence[str]) -> str:
        """Of sessions that were given the last known call, and in whose conversations models count: the one that asked last what stands
        before it, or else the last one."""
        if len(sessions) > 1:
            before = self.talk.tail_before_answer(self.last_call[0])
            sessions = [session for session in sessions if self.trail(session).last_tail == before] or sessions
        return sessions[-1]

    # So it is:

    def known(self, session: str, because: str, parent: str = "") -> Identity:
        body = self.view.body_digest.hex()
        step = self.trail(session).unanswered.get(body, 0)
        if step and not self.index.in_flight(session, body):
            return self._identity(session, parent, "it repeats a call that was not answered", step)
        return self._identity(session, parent, because)

    def unknown(self, because: str, parent: str = "") -> Identity:
        return self._identity("", parent or self.parent or self._handed_by(), because)

    def _handed_by(self) -> str:
        """The session that handed these very words to another agent."""
        owners = self.index.with_task(self.beginning.words) if self.beginning.words else ()
        return next((session for session in reversed(owners) if self.trail(session).begins != self.beginning.words), "")

    def _identity(self, session: str, parent: str, because: str, step: int = 0) -> Identity:
        return Identity(session, step, parent, self.chains[-1], because, self.talk.tail)


def _by_calls(asked: _Asked) -> Identity | None:
    """The session whose conversation this continues: it was given the call of late, or its last request is this one's beginning."""
    _, owners = asked.last_call
    exact = [session for session, _ in owners if asked.trail(session).last_chain in asked.chains]
    if exact:
        return asked.known(asked.told_apart(exact), "it answers a tool call of this session")
    recent = [session for session, step in owners if _lacks_nothing(asked, session, step)]
    return asked.known(asked.likeliest(recent), "it answers a tool call of this session") if recent else None


def _lacks_nothing(asked: _Asked, session: str, step: int) -> bool:
    """Whether a conversation that holds the calls of this step, and no later ones, lacks nothing of what its session was answered since."""
    trail = asked.trail(session)
    if step >= trail.last_step:
        return True
    if step < trail.prior_step:
        return False
    if not trail.answered:
        return not asked.index.in_flight(session)
    if trail.last_reply:
        return any(said == trail.last_reply for _, said in asked.talk.answers)
    return not trail.called_last


def _by_chain(asked: _Asked) -> Identity | None:
    """The session whose last request, with the answer to it, is the longest known beginning of this one, or this very one."""
    chain, owners = asked.sent_before
    at_this_point = [session for session in owners if asked.trail(session).last_chain == chain]
    if owners and chain == asked.chains[-1]:
        return None if asked.side else _same_turns(asked, owners, at_this_point)
    going_on = [session for session in at_this_point if asked.goes_on(session)]
    return asked.known(asked.told_apart(going_on), "it continues this session's conversation") if going_on else None


def _by_chain_alone(asked: _Asked) -> Identity | None:
    """The same, though the client has changed what was answered, or had its answers elsewhere for a while."""
    chain, owners = asked.sent_before
    if chain == asked.chains[-1]:
        return None
    found = [one for one in owners if asked.trail(one).last_chain == chain and not asked.missed(one, asked.after(one))]
    return asked.known(asked.told_apart(found), "it continues this session's conversation") if found else None


def _same_turns(asked: _Asked, owners: Sequence[str], at_this_point: Sequence[str]) -> Identity:
    """The very conversation was sent before: a retry where it was not answered, another task that begins with the same words where it
    was a first question, and otherwise the same session asking anew."""
    body = asked.view.body_digest.hex()
    waiting = [one for one in at_this_point if not asked.trail(one).answered and not asked.index.in_flight(one)]
    # Two windows may have asked the same at other times of day: each repeats its own.
    own = [session for session in waiting if body in asked.trail(session).unanswered]
    if own:
        return asked.known(own[-1], "it asks again what was not answered")
    behind = _behind(asked)
    if behind:
        return asked.known(behind, "it continues this session's conversation")
    if waiting:
        return asked.known(waiting[-1], "it asks again what was not answered")
    if all(_began_so(asked, session) for session in owners):
        return asked.unknown("it begins with the same words as another session")
    gone_on = [session for session in at_this_point if not _began_so(asked, session)]
    if gone_on:
        return asked.known(gone_on[-1], "it asks the same again")
    return asked.unknown(_GOES_BACK, parent=owners[-1])


def _behind(asked: _Asked) -> str:
    """A twin that was answered the same, and only now comes to where another one was before it."""
    for chain in dict.fromkeys(reversed(asked.chains[:-1])):
        waits = [one for one in asked.index.with_chain(chain) if asked.fits(one) and asked.trail(one).last_chain == chain]
        found = [one for one in waits if asked.trail(one).answered and chain != asked.chains[-1] and asked.goes_on(one)]
        if found:
            return asked.told_apart(found)
    return ""


def _began_so(asked: _Asked, session: str) -> bool:
    """Whether these were the first turns of a session, and it goes on from no other's."""
    if next(iter(asked.trail(session).chains), "") != asked.chains[-1]:
        return False
    known = asked.index.get(session)
    return known is None or not known.parent or not any(turn.role is Role.ASSISTANT for turn in asked.view.turns)


def _beside(asked: _Asked) -> Identity | None:
    """A side call (title, summary) repeats nothing of its session, or quotes it: else it goes with the client's latest one."""
    if not asked.side:
        return None
    session = _quoted(asked)
    if session:
        return asked.known(session, f"it is a side call ({asked.side}) that quotes this session")
    session = _latest(asked, anywhere=not asked.workspace)
    return asked.known(session, f"it is a side call ({asked.side}) of the latest session of {asked.client}") if session else None


def _quoted(asked: _Asked) -> str:
    """The latest session that was answered what this call quotes, or that began with it: before all one that was answered it last, and has
    asked nothing since."""
    for said in quoted_in(asked.view.turns[-1]):
        owners = [session for session in (*asked.index.with_reply(said), *asked.index.beginning_with(said)) if asked.fits(session)]
        last = [session for session in owners if asked.trail(session).last_reply == said and asked.trail(session).answered]
        if owners:
            return _newest(asked, last or owners)
    return ""


def _by_reply(asked: _Asked) -> Identity | None:
    """A conversation whose beginning the client has cut or rewritten still holds what its session was answered last."""
    for place, said in asked.talk.answers:
        owners = [session for session in asked.index.with_reply(said) if asked.alike(session)]
        summed_up = [session for session in owners if asked.trail(session).summary == said and not asked.gone_on(session, place)]
        last = [session for session in owners if asked.trail(session).last_reply == said and _holds_its_call(asked, session)]
        found = summed_up or [session for session in last if _follows(asked, session, place, said)]
        if found:
            return asked.known(_newest(asked, found), "it holds this session's last answer; its history was rewritten by the client")
    return None


def _holds_its_call(asked: _Asked, session: str) -> bool:
    """Whether a conversation that holds calls holds one of the session's last answer, if that made any: the same words are said by many."""
    trail = asked.trail(session)
    last = {call for call, step in trail.calls.items() if step == trail.last_step}
    made = {call for _, call in asked.talk.calls()}
    return not last or not made or bool(last & made)


def _follows(asked: _Asked, session: str, place: int, said: str) -> bool:
    """Whether the answer at this place follows what the session asked last. Where that was rewritten too, it has to be an answer that
    nobody else was given, nor the session before (models say `Done.` to many), or those before it have to be the same too."""
    trail = asked.trail(session)
    if place and asked.chains[place - 1] != trail.last_chain and asked.chains[place - 1] in trail.chains:
        return False  # What it was answered at an earlier point, in the same words.
    if asked.missed(session, place):
        return False
    if not trail.last_tail or same_words(trail.last_tail, asked.talk.tail_before(place)):
        return True
    if not trail.repeats and len(asked.index.with_reply(said)) == 1:
        return True
    answers = [reply for at, reply in asked.talk.answers if at <= place][:SPOKEN_MIN]
    return len(answers) == SPOKEN_MIN and answers == list(reversed(trail.spoken))[:SPOKEN_MIN]


def _forked(asked: _Asked) -> Identity | None:
    """A conversation that goes back to an earlier point of a session is a session of its own."""
    _, owners = asked.last_call
    if owners:
        return asked.unknown(_GOES_BACK, parent=owners[-1][0])
    _, of_chain = asked.sent_before
    if of_chain:
        return asked.unknown(_GOES_BACK, parent=_answered_most(asked, of_chain))
    answered = {session for _, reply in asked.talk.answers for session in asked.index.with_reply(reply) if asked.alike(session)}
    if answered and (asked.beginning.words or len(answered) == 1):
        return asked.unknown(_GOES_BACK, parent=_answered_most(asked, sorted(answered)))
    return None


def _answered_most(asked: _Asked, sessions: Sequence[str]) -> str:
    """Who was given most of the last answers of this conversation; of those that were given as many, the last one."""
    said = [reply for _, reply in asked.talk.answers]
    return max(reversed(sessions), key=lambda session: sum(reply in asked.trail(session).replies for reply in said))


def _rewritten(asked: _Asked) -> Identity | None:
    """A conversation that is going on, of which nothing is known: the client has put a summary in the place of its history."""
    if asked.parent or asked.beginning.words or not asked.workspace:
        return None
    turns = asked.view.turns
    going_on = len(turns) > 2 and any(turn.role is Role.ASSISTANT for turn in (turns[1], turns[2]))
    if not asked.beginning.rewritten and not going_on:
        return None
    session = _quoted_at_first(asked) or _latest(asked, anywhere=False)
    return asked.known(session, "its history was rewritten by the client") if session else None


def _quoted_at_first(asked: _Asked) -> str:
    """The session whose summary stands in the place of its history, in whichever role."""
    for turn in asked.view.turns[:TURNS_SEARCHED_MAX]:
        for said in quoted_in(turn):
            owners = [one for one in asked.index.with_reply(said) if asked.trail(one).summary == said and asked.fits(one)]
            if owners:
                return _newest(asked, owners)
    return ""


def _latest(asked: _Asked, *, anywhere: bool) -> str:
    """The latest session of the same client, in the same workspace unless `anywhere`, if it was heard of recently: before all one whose
    history stands in its way, since its last call was refused."""
    found = list(_recent(asked, anywhere=anywhere))
    refused = [session for session in found if not asked.trail(session).answered and not asked.index.in_flight(session)]
    return next(iter(refused if asked.beginning.rewritten and refused else found), "")


def _recent(asked: _Asked, *, anywhere: bool) -> Iterator[str]:
    for session in asked.index.newest_first():
        if asked.now_ms - session.last_ms > SIDE_CALL_WINDOW_MS:
            return
        if session.client == asked.client and (anywhere or session.workspace == asked.workspace):
            yield session.id


def _newest(asked: _Asked, sessions: Sequence[str]) -> str:
    return max(sessions, key=lambda session: known.last_ms if (known := asked.index.get(session)) else 0)


# Order matters: the first that finds a session, or knows that it is a new one, has it. What proves more comes first.
RULES: tuple[Callable[[_Asked], Identity | None], ...] = (
    _by_calls,
    _by_chain,
    _beside,
    _by_reply,
    _by_chain_alone,
    _forked,
    _rewritten,
)
