"""What an answer tells of its own decision, in forms that headers, streams and the store can hold."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from stepfare.control import protocol
from stepfare.core.decision import Floor
from stepfare.core.step import StepKind, Tier
from stepfare.runtime.consider import Asked
from stepfare.runtime.told import REASON_CHARS_MAX, comment_of, headers_of, reason_of, record_of
from stepfare.runtime.turn import Turn
from stepfare.steps.vector import FEATURES_VERSION
from tests.routing.samples import candidate, rates
from tests.runtime.samples import SMALL, UNPRICED, a_run, asked

SIMULATED = candidate("simulator/frugal", Tier.FRUGAL, rates(100_000, 500_000))


A_TURN = Turn(Floor(Tier.FRUGAL, "settings", ""), attempts=1)


def because(*sentences: str) -> Asked:
    made = asked()
    return replace(made, decision=replace(made.decision, because=sentences))


def test_headers_say_who_served_and_why() -> None:
    assert headers_of(asked(), a_run(), 2, simulated=False) == {
        "x-stepfare-decision": "d1",
        "x-stepfare-session": "s1",
        "x-stepfare-step": "explore",
        "x-stepfare-floor": "frugal",
        "x-stepfare-tier": "frugal",
        "x-stepfare-model": "lab/small",
        "x-stepfare-reason": "profile balanced (the default): explore is frugal; "
        "lab/small is the cheapest that can: $0.0002 expected, lab/middle $0.008784",
        "x-stepfare-attempts": "2",
    }


def test_before_anybody_serves_headers_say_what_is_known() -> None:
    headers = headers_of(asked(), None, 0, simulated=True)
    assert "x-stepfare-model" not in headers
    assert (headers["x-stepfare-attempts"], headers["x-stepfare-simulator"]) == ("0", "true")


@pytest.mark.parametrize("text", ["café → 😀", "a\r\nx-evil: 1", "\x00\x7f", "half \ud83d"])
def test_a_header_holds_no_character_that_could_end_it(text: str) -> None:
    value = headers_of(because("step", text), a_run(), 1, simulated=False)["x-stepfare-reason"]
    assert value.isascii()
    assert value.isprintable()
    assert len(value) == len(text)


@pytest.mark.parametrize(
    ("sentences", "reason"),
    [
        (("step", "floor", "choice", "more"), "floor; choice"),
        (("step", "floor"), "floor"),
        (("step",), "no reason"),
        ((), "no reason"),
        (("step", "x" * 1000), "x" * REASON_CHARS_MAX),
    ],
)
def test_the_reason_is_one_line(sentences: tuple[str, ...], reason: str) -> None:
    assert reason_of(because(*sentences).decision) == reason


def test_the_last_comment_of_a_stream_tells_the_truth() -> None:
    comment = comment_of(asked(), a_run(), A_TURN, "edit", 4_100_000_000)
    assert comment.startswith(b": stepfare {")
    assert comment.endswith(b"}\n\n")
    assert comment.count(b"\n") == 2
    told = json.loads(comment.removeprefix(b": stepfare "))
    assert told == {
        "decision": "d1",
        "session": "s1",
        "step": "edit",
        "floor": "frugal",
        "tier": "frugal",
        "model": "lab/small",
        "attempts": 1,
        "escalated": False,
        "cost_usd": "0.0041",
        "reason": reason_of(asked().decision),
    }


def test_an_unpriced_answer_and_a_simulated_one_say_so() -> None:
    told = json.loads(comment_of(asked(), a_run(SIMULATED), A_TURN, "edit", None).removeprefix(b": stepfare "))
    assert (told["cost_usd"], told["simulator"]) == (None, True)


def test_a_model_that_is_asked_for_beside_the_simulator_is_not_called_simulated() -> None:
    assert "x-stepfare-simulator" not in headers_of(asked(), a_run(), 1, simulated=True)
    assert headers_of(asked(), a_run(SIMULATED), 1, simulated=False)["x-stepfare-simulator"] == "true"


def test_a_comment_stays_one_line_whatever_the_reason_says() -> None:
    comment = comment_of(because("step", "two\nlines\n\ndata: fake"), a_run(), A_TURN, "edit", 1)
    assert comment.count(b"\n") == 2


def test_a_stored_decision_is_the_control_apis_message() -> None:
    made = asked(SMALL, UNPRICED, kind=StepKind.EDIT)
    message = protocol.Decision.model_validate_json(record_of(made.decision))
    assert (message.id, message.session, message.kind, message.chosen) == ("d1", "s1", "edit", "lab/unpriced")
    assert (message.floor.tier, message.floor.source) == ("balanced", "settings")
    assert [(no.model, no.reason) for no in message.rejections] == [("lab/small", "below-floor")]
    assert [(one.model, one.expected_pusd, one.arithmetic) for one in message.candidates] == [("lab/unpriced", None, [])]
    assert message.because == list(made.decision.because)


def test_a_stored_decision_keeps_its_arithmetic() -> None:
    message = protocol.Decision.model_validate_json(record_of(asked().decision))
    first = message.candidates[0]
    assert [(line.what, line.tokens, line.rate, line.pusd) for line in first.arithmetic] == [
        ("to be written into its cache", 10_000, 125_000, 1_250_000_000),
        ("expected output", 200, 500_000, 100_000_000),
        ("saved when its cache is needed later", 0, 0, -1_150_000_000),
    ]
    assert first.expected_pusd == 200_000_000


def test_a_decision_that_was_only_asked_for_has_no_id_and_may_have_no_choice() -> None:
    made = asked()
    empty = replace(made.decision, id="", ranked=())
    message = protocol.Decision.model_validate_json(record_of(empty))
    assert (message.id, message.chosen, message.candidates) == (None, None, [])


def test_whoever_took_over_says_what_the_answer_before_turned_out_to_need() -> None:
    run = a_run(floor=Floor(Tier.BALANCED, "settings", "profile balanced (the default): edit is balanced"))
    headers = headers_of(asked(), run, 2, simulated=False)
    assert (headers["x-stepfare-floor"], headers["x-stepfare-reason"]) == ("balanced", "profile balanced (the default): edit is balanced")


def test_a_record_keeps_what_the_step_looked_like_in_numbers_where_it_was_learned() -> None:
    made = asked().decision
    assert "features" not in json.loads(record_of(made))
    stood_on = replace(made, step=replace(made.step, vector=(1.0, 0.25, -1.0)))
    record = record_of(stood_on)
    assert b'"features":{"version":"%s","values":[1,0.25,-1]}' % FEATURES_VERSION.encode() in record
    assert protocol.Decision.model_validate_json(record) == protocol.Decision.model_validate_json(record_of(made))


def test_a_record_tells_what_spoke_for_an_edit() -> None:
    made = asked().decision
    told = replace(made, step=replace(made.step, contributions=(("it was read", 0.81234), ("it is asked", -0.5))))
    read = protocol.Decision.model_validate_json(record_of(told))
    assert [(one.words, one.log_odds) for one in read.contributions] == [("it was read", 0.8123), ("it is asked", -0.5)]
