"""From a request to a decision: the world is read once, everything after that is plain functions. Nothing is sent and nothing written."""

from __future__ import annotations

from dataclasses import dataclass, replace

from stepfare.config.profiles import PROFILES, alias_of
from stepfare.core.decision import Decision
from stepfare.core.digest import reply_digest
from stepfare.core.request import RequestView
from stepfare.core.session import Session
from stepfare.core.step import StepFeatures
from stepfare.dialects.base import BadRequest
from stepfare.dialects.bridge import Translation
from stepfare.providers import catalog as catalogs
from stepfare.routing.decide import decide
from stepfare.routing.snapshot import Snapshot
from stepfare.runtime.state import State
from stepfare.runtime.workspaces import Workspace, relative_to_folder
from stepfare.sessions.identify import Beginning, Identity, identify
from stepfare.sessions.index import SessionIndex
from stepfare.steps.beginnings import beginning_of
from stepfare.steps.classify import classify
from stepfare.steps.features import features_of

WORKSPACE_HEADER = "x-stepfare-workspace"


class UnknownModel(BadRequest):
    """The client names a model that nobody knows; the message lists what it may name."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request with all that was concluded from it."""

    view: RequestView
    features: StepFeatures
    workspace: Workspace
    identity: Identity
    session: Session
    new: bool
    """Whether the books do not yet say who opened this session."""
    step: int
    snapshot: Snapshot
    decision: Decision
    translation: Translation
    """The request, to be said in other formats."""
    drift: str = ""
    """What the client changed of what it had sent before, in words."""

    @property
    def apart(self) -> bool:
        """Whether this call repeats nothing of its session's conversation: a title's request does not, a summary's holds all of it."""
        return bool(self.features.side) and len(self.view.raw) < self.session.last_body_bytes


def consider(view: RequestView, state: State, *, now_ms: int, new_session: str, decision_id: str, root: str = "") -> Asked:
    """Conclude what this request is and who should serve it. `root` names the workspace where the caller knows it. Raises BadRequest."""
    features = features_of(view, state.trails)
    workspace = state.workspaces.look(root or view.headers.get(WORKSPACE_HEADER, "") or features.workspace)
    identity = identity_of(view, features, workspace.root, state.sessions, now_ms)
    session_id = identity.session or new_session
    known = state.sessions.get(session_id)
    new = known is None or not known.opened
    session = state.with_merged(state.session_or_new(session_id, features.client, workspace.root))
    # A call may say less than its session: a side call rarely names the workspace.
    if not workspace.root and session.workspace:
        workspace = state.workspaces.look(session.workspace)
    editor, git = state.surroundings.facts(session_id, workspace, features.history.humans)
    features = replace(features, files=relative_to_folder(workspace, features.files), editor=editor, git=git)
    step = classify(features, state.play.weights)
    named = state.named(view.model)
    if not named and alias_of(view.model, tuple(state.settings.profiles)) is None:
        raise UnknownModel(_unknown(view.model, state))
    snapshot = state.snapshot(session, workspace, named, state.tokenizer.count(view))
    translation = Translation(view)
    decision = decide(view, features, step, snapshot, decision_id, translation.losses)
    number = identity.step or session.steps + 1
    # Booked as the session that was recognised; what people are told is the one that they made of it.
    decision = replace(decision, session=state.shown.of(session_id, number))
    return Asked(view, features, workspace, identity, session, new, number, snapshot, decision, translation)


def identity_of(view: RequestView, features: StepFeatures, root: str, sessions: SessionIndex, now_ms: int) -> Identity:
    """Whose step this is."""
    began = beginning_of(view, features.client)
    beginning = Beginning(reply_digest(began.words), began.rewritten)
    return identify(view, sessions, client=features.client, workspace=root, side=features.side, now_ms=now_ms, beginning=beginning)


def _unknown(model: str, state: State) -> str:
    catalog = state.play.catalog
    keyless = [provider for one in catalogs.find(catalog, model) if (provider := catalog.providers[one.provider]).key]
    if keyless:
        provider = keyless[0]
        return f'model "{model}" is served by {provider.id}, whose key is missing here ({provider.key}). Set it, or use a profile.'
    names = ", ".join(["auto", *PROFILES, *state.settings.profiles])
    models = ", ".join(candidate.model.id for candidate in state.candidates()[:6])
    return f'model "{model}" is not known here. Use a profile ({names}) or a model ({models}, ...; `stepfare models` lists all).'
