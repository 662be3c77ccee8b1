"""Messages as a daemon would send them, for tests of what is shown: one session of a believable agent, and the overview around it."""

from __future__ import annotations

from stepfare.control.protocol import (
    Attempt,
    Bucket,
    Budget,
    Budgets,
    Candidate,
    Cap,
    Contribution,
    CostLine,
    Decision,
    Extension,
    Floor,
    Gate,
    ModelInfo,
    Overview,
    PriceRow,
    Prices,
    Problem,
    Proposal,
    ProviderState,
    Question,
    Rejection,
    Session,
    SessionDetail,
    Step,
    StepUsage,
    Totals,
    Warm,
)

NOW_MS = 1_780_000_000_000
MINUTE_MS = 60_000
USD = 1_000_000_000_000

TOTALS = Totals(
    steps=4,
    spent_pusd=421_337_500_000,
    reserved_pusd=12_000_000_000,
    lost_pusd=3_000_000_000,
    unpriced_steps=1,
    always_premium_pusd=1_910_000_000_000,
    always_balanced_pusd=400_000_000_000,
    switch_writes_pusd=5_500_000_000,
    input_tokens=48_213,
    cache_read_tokens=19_285,
    output_tokens=2_104,
    by_tier={"frugal": Bucket(steps=3, spent_pusd=21_337_500_000), "balanced": Bucket(steps=1, spent_pusd=400_000_000_000)},
)

OF_SESSION = Cap(
    scope="session",
    subject="s-4f2a",
    cap_pusd=5 * USD // 2,
    extended_pusd=USD // 2,
    spent_pusd=2 * USD + USD // 10,
    reserved_pusd=USD // 4,
    left_pusd=3 * USD // 20,
    burn_pusd_per_hour=210_000_000_000,
    warned=True,
    source="x:4",
)
OF_DAY = Cap(scope="day", cap_pusd=10 * USD, spent_pusd=10 * USD, reserved_pusd=0, left_pusd=0, on_limit="stop", source="config.toml:12")
OF_PROJECT = Cap(
    scope="project",
    subject="/srv/shop",
    cap_pusd=5 * USD,
    spent_pusd=USD,
    reserved_pusd=0,
    left_pusd=4 * USD,
    on_limit="frugal",
    source="x:1",
)
QUESTION = Question(
    session="s-4f2a",
    client="cline",
    at_ms=NOW_MS - MINUTE_MS,
    words="the session budget leaves no room for this step.",
    proposals=[Proposal(scope="session", subject="s-4f2a", pusd=USD)],
)
BUDGETS = Budgets(
    caps=[OF_DAY, OF_SESSION, OF_PROJECT],
    questions=[QUESTION],
    extensions=[Extension(id="e-1", at_ms=NOW_MS - 5 * MINUTE_MS, scope="session", subject="s-4f2a", pusd=USD // 2, by="cli")],
)

SESSION = Session(
    id="s-4f2a",
    title="Fix the failing \x1b[31mtest\nin the cart",
    client="cline",
    workspace="/srv/shop",
    project="shop",
    branch="main",
    started_ms=NOW_MS - 125 * MINUTE_MS,
    last_ms=NOW_MS - 3 * MINUTE_MS,
    totals=TOTALS,
    burn_pusd_per_hour=210_000_000_000,
    pin="premium",
    budget=Budget(session_pusd=5 * USD // 2, day_pusd=10 * USD, caps=[OF_SESSION, OF_DAY]),
    warm=[
        Warm(model="lab/small", tokens=19_285, until_ms=NOW_MS + 2 * MINUTE_MS),
        Warm(model="lab/cold", tokens=1, until_ms=NOW_MS - 1),
    ],
)


def a_step(kind: str, **changes: object) -> Step:
    return Step(
        decision="d-1",
        session="s-4f2a",
        at_ms=NOW_MS,
        kind=kind,
        predicted=kind,
        floor="frugal",
        floor_source="profile",
        tier="frugal",
        model="lab/small",
        attempts=[Attempt(id="a-1", model="lab/small", outcome="ok")],
        usage=StepUsage(input_tokens=12_000, cache_read_tokens=8_000, output_tokens=220),
        cost_pusd=421_300_000,
        cost_source="usage-priced",
        because=["after read, read, search comes explore", "cheapest of 3"],
    ).model_copy(update=changes)


STEPS = [
    a_step("explore"),
    a_step(
        "edit",
        predicted="explore",
        tier="balanced",
        model="lab/medium",
        cost_pusd=400_000_000_000,
        cost_source="estimated",
        because=["it had read the file"],
        attempts=[
            Attempt(id="a-2", model="lab/other", outcome="busy"),
            Attempt(id="a-3", model="lab/medium", outcome="ok"),
        ],
    ),
    a_step("run", cost_pusd=None, cost_source="unpriced", model="lab/new"),
    a_step(
        "summarize",
        cost_pusd=None,
        cost_source=None,
        usage=None,
        tier=None,
        model=None,
        because=[],
        attempts=[Attempt(id="a-4", model="lab/small", outcome="open")],
    ),
]

DETAIL = SessionDetail(session=SESSION, steps=STEPS)

SIMPLE = Session(
    id="s-77", client="continue", workspace="/srv/lib", started_ms=NOW_MS, last_ms=NOW_MS, totals=Totals(steps=1, unpriced_steps=1)
)

OVERVIEW = Overview(
    version="0.1.0",
    seq=7,
    started_ms=NOW_MS - 125 * MINUTE_MS,
    mode="simulator",
    today=TOTALS,
    sessions=[SESSION, SIMPLE],
    providers=[
        ProviderState(id="openrouter", state="ok", since_ms=NOW_MS),
        ProviderState(id="groq", state="resting", since_ms=NOW_MS - 40_000, why="4 errors in a row, tried again in 20 s"),
        ProviderState(id="deepseek", state="no-key", since_ms=0, why="set DEEPSEEK_API_KEY"),
    ],
    problems=[Problem(source="/srv/shop/.stepfare.toml", line=3, column=8, words="tier `premum` is not known; did you mean `premium`?")],
    budgets=[OF_DAY],
    questions=[QUESTION],
)

DECISION = Decision(
    id="d-1",
    session="s-4f2a",
    kind="edit",
    probabilities={"explore": 0.3, "edit": 0.624, "run": 0.07, "answer": 0.006},
    contributions=[
        Contribution(words="the last action was an edit", log_odds=0.8123),
        Contribution(words="nothing was read since", log_odds=-0.4),
        Contribution(words="a test failed", log_odds=0.31),
        Contribution(words="the client's cap", log_odds=0.01),
    ],
    floor=Floor(
        tier="balanced", source="dotfile", words=".stepfare.toml:4 asks balanced for edit; held until its action is known, for another"
    ),
    floors={
        "explore": Floor(tier="frugal", source="settings", words="profile balanced (config.toml:2): explore is frugal"),
        "edit": Floor(tier="balanced", source="dotfile", words=".stepfare.toml:4 asks balanced for edit"),
        "run": Floor(tier="frugal", source="settings", words="profile balanced (config.toml:2): run is frugal"),
    },
    candidates=[
        Candidate(
            model="lab/medium",
            tier="balanced",
            expected_pusd=12_300_250_000,
            arithmetic=[
                CostLine(what="warm prompt", tokens=8_000, rate=300_000, pusd=2_400_000_000),
                CostLine(what="fresh prompt", tokens=1_000, rate=3_000_000, pusd=3_000_000_000),
                CostLine(what="answer", tokens=460, rate=15_000_000, pusd=6_900_000_000),
                CostLine(what="12 % go on to lab/large", tokens=0, rate=0, pusd=1_000_250_000),
                CostLine(what="what stays warm for later", tokens=0, rate=0, pusd=-1_000_000_000),
            ],
        ),
        Candidate(model="lab/new", tier="premium", expected_pusd=None),
    ],
    rejections=[
        Rejection(model="lab/small", reason="below-floor", words="it is frugal, the floor is balanced"),
        Rejection(model="groq/fast", reason="health", words="4 errors in a row, tried again in 20 s"),
    ],
    gate=Gate(on=True, needs="balanced", hold_ms=8_000),
    chosen="lab/medium",
    because=[
        "after read, read comes edit",
        ".stepfare.toml:4 asks balanced for edit; held until its action is known, for another",
        "lab/medium holds 8,000 tokens warm",
    ],
)

PRICE = PriceRow(input=3_000_000, cache_read=300_000, cache_write=3_750_000, cache_write_1h=6_000_000, output=15_000_000)
PRICES = Prices(
    catalogue="2026-09-21",
    models=[
        ModelInfo(
            id="lab/medium",
            provider="openrouter",
            tier="balanced",
            context_tokens=200_000,
            max_output_tokens=64_000,
            capabilities=["tools", "vision"],
            prices=[
                PRICE,
                PRICE.model_copy(update={"above_tokens": 200_000, "input": 6_000_000}),
                PRICE.model_copy(update={"from_ms": 1_798_761_600_000, "hours": "01:00-04:00", "input": 12_500}),
            ],
            price_now=PRICE,
            price_source="genai-prices",
            price_as_of="2026-09-20",
            state="in-play",
            why="",
        ),
        ModelInfo(
            id="lab/new",
            provider="lab",
            tier="premium",
            context_tokens=32_000,
            max_output_tokens=8_000,
            capabilities=[],
            prices=[],
            price_now=None,
            state="no-key",
            why="set LAB_KEY",
        ),
    ],
)
