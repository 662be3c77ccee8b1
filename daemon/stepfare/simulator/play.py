"""What the simulator answers to a request: the next move of a believable agent, from the request alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from stepfare.core.step import Tier
from stepfare.simulator import hands, words, xmlcalls
from stepfare.simulator.eager import early_wish, signature
from stepfare.simulator.filechat import answer, read_file_chat
from stepfare.simulator.intents import Finish, Intent, Present, Run
from stepfare.simulator.knowledge import Knowledge, fold
from stepfare.simulator.options import MARK, MOVES_MAX
from stepfare.simulator.plays import CHAT, FIX, PLAN_FIX, READ_ONLY, Phase, Wish, reached
from stepfare.simulator.project import wants_repair
from stepfare.simulator.reading import Request
from stepfare.simulator.reply import OutCall, Reply
from stepfare.simulator.shapes import manual_tools
from stepfare.simulator.side import as_json, side_reply
from stepfare.simulator.toolboxes import Toolbox
from stepfare.simulator.transcript import Scene, human_words, read_scene

SUMMARIES_MAX = 4
"""Summaries since the human's last words, after which the play ends: a client whose window is too small would go on for ever."""

_DECLINED = re.compile(
    r"\b(user|human) (has )?(denied|rejected|declined)\b|\bdenied by (the )?user\b|\brejected by (the )?user\b", re.IGNORECASE
)
_SMALL_TALK = re.compile(r"^\W*(hi|hello|hey|thanks|thank you|good (morning|evening)|who are you|what are you|what is \d)\b", re.IGNORECASE)


def play(request: Request, *, eager: bool = False) -> Reply:
    """The answer to this request. The same request always gets the same answer, but for the ids of its calls.

    An `eager` model edits as soon as it can name the file.
    """
    side = side_reply(request)
    if side is not None:
        return side
    manual = () if request.tools else manual_tools(request.system)
    chat = read_file_chat(request) if not (request.tools or manual) else None
    if chat is not None:
        phase, text = answer(chat, signature(request.model) if eager else "")
        return _thinking(request, Reply(text), phase)
    if request.tool_choice == "none" or not (request.tools or manual):
        last = next((message for message in reversed(request.messages) if message.role == "user"), None)
        said = human_words(last, only_tagged=False) if last is not None else ""
        return _thinking(request, Reply(words.chat(said, last.images if last is not None else 0)), "a plain question")
    scene = read_scene(request, manual)
    phase, reply = _next(request, scene, eager=eager)
    return _thinking(request, reply, phase)


def _thinking(request: Request, reply: Reply, phase: str) -> Reply:
    """The premium model shows what it thinks."""
    if request.model.tier is not Tier.PREMIUM:
        return reply
    return replace(reply, reasoning=f"{MARK}No model thinks here. Next in the play: {phase}.")


def phases_of(scene: Scene) -> Sequence[Phase]:
    """The table of phases for this task."""
    if _SMALL_TALK.match(scene.task) and len(scene.task) < 80:
        return CHAT
    if wants_repair(scene.task):
        return PLAN_FIX if scene.planning else FIX
    return READ_ONLY


def _next(request: Request, scene: Scene, *, eager: bool) -> tuple[str, Reply]:
    known = fold(scene)
    if scene.moves and scene.moves[-1].result.failed and _DECLINED.search(scene.moves[-1].result.text[:400]):
        return "the human declined", _ending(request, scene, words.declined())
    if scene.summaries >= SUMMARIES_MAX:
        return "too little room", _ending(request, scene, words.no_room(scene.summaries))
    together = request.parallel and not scene.classic
    if len(scene.moves) < MOVES_MAX:
        for phase in phases_of(scene):
            wish = phase.want(scene, known)
            if wish is None:
                continue
            early = early_wish(request.model, scene, known, phase, wish, together=together) if eager else None
            for each in filter(None, (early, wish)):
                if calls := _calls_for(each, scene, known):
                    return phase.name, _acting(scene, each.words, calls if together else calls[:1])
    if phases_of(scene) is CHAT:
        return "small talk", _ending(request, scene, words.chat(scene.task, 0))
    if scene.planning:
        return "the plan", _ending(request, scene, words.plan(scene, known))
    return "the end", _ending(request, scene, words.final(scene, known), verified=reached(scene, known))


def _calls_for(wish: Wish, scene: Scene, known: Knowledge) -> tuple[OutCall, ...]:
    """The first alternative of which every part can be done in a way that has not failed before."""
    for alternative in wish.alternatives:
        ways = [_way(intent, scene.box, known) for intent in alternative]
        if all(ways):
            return tuple(call for way in ways for call in way)
    return ()


def _way(intent: Intent, box: Toolbox, known: Knowledge) -> tuple[OutCall, ...]:
    for calls in hands.ways(intent, box):
        if not any(known.in_vain(call.name, call.arguments) for call in calls):
            return calls
    return ()


def _acting(scene: Scene, text: str, calls: tuple[OutCall, ...]) -> Reply:
    if scene.box.xml:
        return Reply("\n\n".join([words.marked(text), *(xmlcalls.as_text(call) for call in calls)]))
    return Reply(words.marked(text), calls)


def _ending(request: Request, scene: Scene, text: str, *, verified: bool = False) -> Reply:
    """The last turn of a task: by the tool that ends one where there is such, else as text."""
    last = Present(text) if scene.planning else Finish(text, verified)
    calls = next(hands.ways(last, scene.box), ()) or (next(hands.ways(Finish(text), scene.box), ()) if scene.box.xml else ())
    if not calls and scene.ends_by:
        calls = next(hands.ways(Run(scene.ends_by), scene.box), ())
    if not calls and request.tool_choice not in ("auto", "none"):
        calls = hands.any_call(scene.box, request.tool_choice, text)
    if calls and scene.box.xml:
        return _acting(scene, "This is the end of the play.", calls)
    return Reply(text if calls else as_json(request, text) or text, calls)
