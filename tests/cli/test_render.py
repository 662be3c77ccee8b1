"""What people see of each message, whole, as a pipe gets it."""

from __future__ import annotations

from textwrap import dedent

import pytest

from stepfare.cli.render import catalogue, paint, reasons, spend
from stepfare.cli.render.paint import Block
from stepfare.control.protocol import Attempt, Bucket, Decision, Family, Floor, ProviderInfo, SessionDetail, TierInfo, Totals
from tests.cli.samples import DECISION, DETAIL, NOW_MS, OVERVIEW, PRICE, PRICES, SESSION, a_step


def check(blocks: list[Block], expected: str) -> None:
    assert paint.plain(blocks) == dedent(expected).lstrip("\n")


def test_the_overview_says_mode_spend_and_what_is_wrong() -> None:
    check(
        spend.overview(OVERVIEW, "http://127.0.0.1:4884", NOW_MS),
        """
        stepfare 0.1.0 on http://127.0.0.1:4884, up 2 h
        Simulator: no provider key was found, so a built-in simulator answers and nothing real is paid. All sums are play money.

        Today     $0.4213 for 4 steps, 1 of them without a known price
                  $1.49 (78 %) less than always premium, $0.02134 more than always balanced
                  $0.005500 of it rewrote caches because the model changed
                  $0.01200 at most for answers still under way
                  $0.003000 at most, lost sight of when the daemon died
        Tiers     frugal $0.02134 (3 steps), balanced $0.4000 (1 step)
        Budget    $10.00 of $10.00 a day (config.toml:12)
        Asks      the session budget leaves no room for this step. cline waits: `stepfare budget extend`
        Providers openrouter ok
                  groq resting for 40 s: 4 errors in a row, tried again in 20 s
                  deepseek no-key: set DEEPSEEK_API_KEY
        Problems  error /srv/shop/.stepfare.toml:3:8: tier `premum` is not known; did you mean `premium`?

        SESSION  LAST STEP  STEPS     SPENT  AGENT     PROJECT  TITLE
        s-4f2a   3 min ago      4   $0.4213  cline     shop     Fix the failing [31mtest in the cart
        s-77     just now       1  unpriced  continue  lib
        """,
    )


def test_what_the_family_cost_stands_beside_the_session() -> None:
    family = Family(sessions=["s-4f2a", "s-5"], totals=Totals(steps=9, spent_pusd=2 * 10**12), severity="info")
    detail = DETAIL.model_copy(update={"session": SESSION.model_copy(update={"family": family})})
    assert "$2.00 together with 1 other session of its task\n" in paint.plain(spend.session(detail, NOW_MS))


def test_what_would_have_cost_the_same_is_not_compared() -> None:
    same = Totals(steps=1, spent_pusd=10**12, always_balanced_pusd=10**12, always_premium_pusd=3 * 10**12)
    check([paint.line(*cells) for cells in spend.spend(same)], "$1.00 for 1 step\n$2.00 (67 %) less than always premium\n")


def test_a_session_shows_each_step_with_its_reason() -> None:
    check(
        spend.session(DETAIL, NOW_MS),
        """
        Session s-4f2a: Fix the failing [31mtest in the cart
        cline in /srv/shop (main), started 2 h ago, last step 3 min ago

        Spent     $0.4213 for 4 steps, 1 of them without a known price
                  $1.49 (78 %) less than always premium, $0.02134 more than always balanced
                  $0.005500 of it rewrote caches because the model changed
                  $0.01200 at most for answers still under way
                  $0.003000 at most, lost sight of when the daemon died
                  $0.2100 an hour at its pace of late
        Budget    $2.10 of $2.50 a session, $0.2500 reserved, $0.5000 of it added (x:4)
                  $10.00 of $10.00 a day (config.toml:12)
        Pinned    premium for the whole session
        Prompt    48,213 tokens in, 40 % of them read from caches; 2,104 tokens out
        Warm      lab/small: 19,285 tokens for 2 min more

        #  KIND       TIER      MODEL           IN  CACHED  OUT        COST  WHY
        1  explore    frugal    lab/small   12,000   8,000  220  $0.0004213  after read, read, search comes explore
        2  edit       balanced  lab/medium  12,000   8,000  220    ~$0.4000  explore was foreseen; it had read the file; lab/other was busy
        3  run        frugal    lab/new     12,000   8,000  220    unpriced  after read, read, search comes explore
        4  summarize                                                   open

        Why a step got its model: `stepfare explain s-4f2a:4`
        """,
    )


def test_a_decision_shows_evidence_floors_arithmetic_and_rejections() -> None:
    check(
        reasons.decision(DECISION),
        """
        Decision d-1 of session s-4f2a
        Served by lab/medium (balanced)

        Step   edit (edit 62 %, explore 30 %, run 7 %)
               For an edit: the last action was an edit +0.8, a test failed +0.3
               Against one: nothing was read since -0.4
        Floor  balanced, set by dotfile: .stepfare.toml:4 asks balanced for edit
        Gate   a lower model's answer is held, 8 s at most, until its action is known; an edit needs balanced

        Why
          - after read, read comes edit
          - lab/medium holds 8,000 tokens warm

        Floors, by what the turn turns out to be
          frugal    explore, run  profile balanced (config.toml:2)
          balanced  edit          .stepfare.toml:4 asks balanced for edit

        Candidates, the first choice first, with what this step was expected to cost (tokens x price)
          1. lab/medium (balanced)  $0.01230
             warm prompt                8,000  x   $0.30/M     $0.0024000
             fresh prompt               1,000  x   $3.00/M  +  $0.0030000
             answer                       460  x  $15.00/M  +  $0.0069000
             12 % go on to lab/large                        +  $0.0010002
             what stays warm for later                      -  $0.0010000
          2. lab/new (premium)  unpriced

        Rejected
          lab/small  below the floor  it is frugal, the floor is balanced
          groq/fast  resting          4 errors in a row, tried again in 20 s
        """,
    )


def test_a_decision_that_nobody_can_serve_says_so() -> None:
    nobody = Decision(
        id=None,
        session="",
        kind="plan",
        floor=Floor(tier="premium", source="header", words="x-stepfare-tier asks premium"),
        candidates=[],
        rejections=[],
        chosen=None,
        because=[],
    )
    check(
        reasons.decision(nobody),
        """
        Dry run
        Nobody can serve this step.

        Step   plan
        Floor  premium, set by header: x-stepfare-tier asks premium
        """,
    )


def test_models_show_what_they_can_and_why_they_are_not_in_play() -> None:
    check(
        catalogue.models(PRICES, all_models=False),
        """
        MODEL       TIER       WINDOW        IN  CACHED     OUT  STATE    NOTES
        lab/medium  balanced  200,000     $3.00   $0.30  $15.00  in-play  tools, vision
        lab/new     premium    32,000  unpriced                  no-key   set LAB_KEY

        2 models. Prices in dollars per million tokens, as of now. All models of the catalogue: `stepfare models --all`.
        """,
    )


def test_models_say_who_serves_which_floor_and_what_each_provider_lacks() -> None:
    provider = ProviderInfo(id="lab", state="in-use", dialects=["openai", "anthropic"], cache="prompts from 1,024 tokens on, kept 5 min")
    message = PRICES.model_copy(
        update={
            "models": [PRICES.models[0].model_copy(update={"quirks": ["refuses stop sequences"]})],
            "tiers": [
                TierInfo(tier="frugal", models=["lab/a", "lab/b", "lab/c", "lab/d", "lab/e"]),
                TierInfo(tier="premium", models=[], why="set a key"),
            ],
            "providers": [
                provider.model_copy(update={"quirks": ["takes max_tokens only", "billed"]}),
                ProviderInfo(id="ollama", state="found", why="2 models at http://127.0.0.1:11434/v1", dialects=["openai"], local=True),
                ProviderInfo(id="openai", state="no-key", why="set OPENAI_API_KEY"),
                ProviderInfo(id="groq", state="no-key", why="set GROQ_API_KEY"),
                ProviderInfo(id="azure", state="no-address", why="set AZURE_OPENAI_ENDPOINT"),
                ProviderInfo(id="vllm", state="not-found", why="nothing found at http://127.0.0.1:8000/v1"),
            ],
        }
    )
    check(
        catalogue.models(message, all_models=True),
        """
        MODEL       TIER       WINDOW     IN  CACHED     OUT  STATE    NOTES
        lab/medium  balanced  200,000  $3.00   $0.30  $15.00  in-play  tools, vision; refuses stop sequences

        FLOOR    SERVED BY
        frugal   lab/a, lab/b, lab/c, lab/d and 1 more
        premium  nobody                                 set a key

        PROVIDER  SPEAKS             CACHES                                    NOTES
        lab       openai, anthropic  prompts from 1,024 tokens on, kept 5 min  takes max_tokens only; billed
        ollama    openai             not known                                 2 models at http://127.0.0.1:11434/v1

        Without a key: openai (set OPENAI_API_KEY), groq (set GROQ_API_KEY)

        Without an address: azure (set AZURE_OPENAI_ENDPOINT)

        Not found on this machine: vllm

        1 model. Prices in dollars per million tokens, as of now.
        """,
    )


def test_newer_prices_are_told_line_by_line() -> None:
    changes = [("lab/a got cheaper: input $1.00 -> $0.10 per M", False), ("lab/b got dearer: input $1.00 -> $900.00 per M", True)]
    check(
        catalogue.renewed(changes, ["lab/c: no price is known"], "2026-11-22", told=True),
        """
        lab/a got cheaper: input $1.00 -> $0.10 per M
        held back: lab/b got dearer: input $1.00 -> $900.00 per M
        1 change held back, since so large a change is often an error: --accept takes them too.
        1 model of the list cannot be used; --json says why.
        1 change. Prices are of 2026-11-22 now. The running daemon has them.
        """,
    )
    many = catalogue.renewed([(f"lab/{number} is new", False) for number in range(100)], [], "2026-11-22", told=False)
    assert paint.plain(many).splitlines()[-2] == "and 40 more changes; --json tells them all"
    assert paint.plain(catalogue.renewed([], [], "2026-11-22", told=False)) == "Nothing changed. Prices are of 2026-11-22 now.\n"


def test_prices_show_their_conditions_and_their_source() -> None:
    check(
        catalogue.prices(PRICES, NOW_MS),
        """
        MODEL             IN  CACHED  WRITE  WRITE 1H     OUT  WHEN, AND WHO SAYS SO
        lab/medium     $3.00   $0.30  $3.75     $6.00  $15.00  always (genai-prices of 2026-09-20)
                       $6.00   $0.30  $3.75     $6.00  $15.00  prompts over 200,000 tokens
                     $0.0125   $0.30  $3.75     $6.00  $15.00  from 2027-01-01, 01:00-04:00 UTC
        lab/new     unpriced

        Prices in dollars per million tokens. Catalogue 2026-09-21.
        """,
    )


def test_prices_of_the_past_are_left_out_and_those_to_come_are_named() -> None:
    day_ms = 86_400_000
    at = {name: PRICE.model_copy(update={"from_ms": ms}) for name, ms in (("old", 0), ("now", NOW_MS - day_ms), ("next", NOW_MS + day_ms))}
    model = PRICES.models[0].model_copy(update={"prices": list(at.values())})
    shown = paint.plain(catalogue.prices(PRICES.model_copy(update={"models": [model]}), NOW_MS)).splitlines()
    assert [row.split("  ")[-1] for row in shown[1:3]] == [
        "since 2026-05-27, until 2026-05-29 (genai-prices of 2026-09-20)",
        "from 2026-05-29",
    ]


def test_play_money_is_never_taken_for_real() -> None:
    played = Bucket(steps=1, spent_pusd=1_000_000_000_000)
    mixed = Totals(steps=2, spent_pusd=3_000_000_000_000, by_model={"simulator/frugal": played, "lab/small": Bucket(steps=1)})
    lines = [paint.plain([paint.line(*cells)]).strip() for cells in spend.spend(mixed)]
    assert lines[1] == "$1.00 of it is the simulator's play money"
    all_played = mixed.model_copy(update={"spent_pusd": 1_000_000_000_000})
    assert paint.plain([paint.line(*spend.spend(all_played)[1])]).strip() == "all of it is the simulator's play money"
    listed = paint.plain(spend.sessions([SESSION.model_copy(update={"totals": mixed})], NOW_MS))
    assert "play $3.00" in listed


def test_an_empty_list_says_what_to_do_next() -> None:
    check(spend.sessions([], NOW_MS), "No sessions yet. Point a coding agent at the daemon: `stepfare connect --list` shows how.\n")
    check(spend.session(SessionDetail(session=SESSION, steps=[]), NOW_MS)[-1:], "No steps yet.\n")
    assert "OPENROUTER_API_KEY" in paint.plain(catalogue.models(PRICES.model_copy(update={"models": []}), all_models=False))
    assert "stepfare prices --all" in paint.plain(catalogue.prices(PRICES.model_copy(update={"models": []}), NOW_MS))


@pytest.mark.parametrize(
    ("totals", "text"),
    [
        (Totals(), "$0.00"),
        (Totals(steps=2, unpriced_steps=2), "unpriced"),
        (Totals(steps=2, unpriced_steps=1), "$0.00"),
        (Totals(steps=2, spent_pusd=5_000_000_000_000, unpriced_steps=2), "$5.00"),
    ],
)
def test_a_sum_of_unpriced_steps_alone_is_unpriced(totals: Totals, text: str) -> None:
    assert spend.spent(totals) == text


def test_no_baseline_is_no_comparison() -> None:
    check(
        spend.session(SessionDetail(session=SESSION.model_copy(update={"totals": Totals(steps=1, spent_pusd=1)}), steps=[]), NOW_MS)[3:4],
        "Spent     $0.000000000001000 for 1 step\n",
    )


@pytest.mark.parametrize(
    ("outcome", "cost"),
    [("open", "open"), ("down", "none")],
)
def test_a_step_without_a_bill_is_open_or_cost_nothing(outcome: str, cost: str) -> None:
    step = a_step("edit", cost_pusd=None, cost_source=None, usage=None, attempts=[Attempt(id="a", model="m", outcome=outcome)])
    assert spend.cost(step) == cost


def test_what_a_crash_lost_is_neither_nothing_nor_unpriced() -> None:
    step = a_step("edit", cost_pusd=None, cost_source=None, usage=None, attempts=[Attempt(id="a", model="m", outcome="lost")])
    assert spend.cost(step) == paint.Span("lost", "bad")


def test_a_step_says_what_went_wrong_on_the_way() -> None:
    tries = [Attempt(id=outcome, model="lab/small", outcome=outcome) for outcome in ("slow", "wobbly", "hang-up")]
    step = a_step("edit", attempts=tries, escalated=True, predicted="edit", because=[])
    shown = paint.plain(spend.session(SessionDetail(session=SESSION, steps=[step]), NOW_MS))
    expected = "the first answer needed a better model and was taken back; lab/small was too slow; lab/small wobbly; the client hung up"
    assert shown.splitlines()[-3].endswith(expected)


def test_wide_characters_do_not_push_columns_apart() -> None:
    rows = ((("日本"), "x"), ("ab", "y"))
    assert paint.plain([paint.Table((paint.Column("T"), paint.Column("V")), rows)]) == "T     V\n日本  x\nab    y\n"
