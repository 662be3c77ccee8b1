"""Problems in people's files: what is right is used, what is wrong is left out and said at its place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepfare.config.check import DOTFILE_BYTES_MAX, SETTINGS_BYTES_MAX, check_dotfile, check_settings, limits_of
from stepfare.config.dotfile import Caps, UserLimits
from stepfare.config.notes import PROBLEMS_MAX
from stepfare.core.problem import Problem
from stepfare.core.step import StepKind, Tier

USD = 10**12
SOURCE = ".stepfare.toml"

WHOLE = """\
profile = "careful"            # where this project starts

[steps]
edit = "premium"
run = "frugal"

[[paths]]
match = ["migrations/**", "src/crypto/**"]
floor = "premium"

[[paths]]
match = "docs/"
floor = "frugal"

[models]
deny = ["deepseek/*"]

[budget]
session_usd = 2.00
day_usd = 10
warn_at = 0.8
on_limit = "ask"
"""


def marked(text: str, problem: Problem) -> str:
    """The stretch of the text at which a problem points."""
    line = text.replace("\r\n", "\n").split("\n")[problem.line - 1]
    return line[problem.column - 1 : problem.column - 1 + problem.length]


def check(text: str, *expected: tuple[str, str, str], user: UserLimits | None = None) -> None:
    """The problems of a dotfile: code, severity, and the text at which each points."""
    problems = check_dotfile(text, SOURCE, user).problems
    assert [(problem.code, problem.severity, marked(text, problem)) for problem in problems] == list(expected), problems
    assert all(problem.source == SOURCE for problem in problems)


def test_a_whole_project_file_is_read_without_a_word() -> None:
    checked = check_dotfile(WHOLE, SOURCE, UserLimits(session_pusd=3 * USD))
    dotfile = checked.value
    assert checked.problems == ()
    assert checked.readable
    assert dotfile.profile == "careful"
    assert dotfile.steps == {StepKind.EDIT: Tier.PREMIUM, StepKind.RUN: Tier.FRUGAL}
    assert dotfile.budget == Caps(2 * USD, 10 * USD, None, 0.8, "ask")
    assert [rule.lines for rule in dotfile.paths] == [(8, 8), (12,)]
    assert {key: checked.lines[key] for key in ("profile", "steps", "steps.edit", "paths.1", "paths.0.match.1", "budget.on_limit")} == {
        "profile": 1,
        "steps": 3,
        "steps.edit": 4,
        "paths.1": 11,
        "paths.0.match.1": 8,
        "budget.on_limit": 22,
    }
    assert dotfile.cite("steps.edit") == ".stepfare.toml:4"
    assert dotfile.cite("steps.plan") == ".stepfare.toml"


def test_an_unknown_key_is_a_warning_that_names_the_nearest() -> None:
    check('proflie = "careful"\n', ("unknown-key", "warning", "proflie"))
    assert 'Did you mean "profile"?' in check_dotfile('proflie = "careful"\n', SOURCE).problems[0].words


def test_unknown_keys_are_seen_at_every_level() -> None:
    text = '[steps]\nedits = "premium"\n[[paths]]\nmatch = "a"\nfloor = "frugal"\nwhy = 1\n[gate]\nhold = 3\n'
    check(text, ("unknown-key", "warning", "edits"), ("unknown-key", "warning", "why"), ("unknown-key", "warning", "gate"))


def test_a_wrong_value_lists_what_is_allowed_and_the_rest_is_used() -> None:
    text = '[steps]\nedit = "premum"\nrun = "frugal"\n'
    check(text, ("wrong-value", "error", '"premum"'))
    checked = check_dotfile(text, SOURCE)
    assert checked.problems[0].words == (
        '"premum" is not a value of `edit`. Did you mean "premium"? Allowed: frugal, balanced, premium. It is left out.'
    )
    assert checked.value.steps == {StepKind.RUN: Tier.FRUGAL}


@pytest.mark.parametrize(
    ("text", "points_at"),
    [
        ("profile = 3\n", "3"),
        ('profile = "cheep"\n', '"cheep"'),
        ("steps = 3\n", "3"),
        ("[steps]\nedit = true\n", "true"),
        ('budget = { session_usd = "2" }\n', '"2"'),
        ("[budget]\nsession_usd = -1\n", "-1"),
        ("[budget]\nsession_usd = true\n", "true"),
        ("[budget]\nsession_usd = nan\n", "nan"),
        ("[budget]\nday_usd = 1e99999999999999999999\n", "1e99999999999999999999"),
        ("[budget]\nday_usd = 0.0000000000001\n", "0.0000000000001"),
        ("[budget]\nwarn_at = 1.5\n", "1.5"),
        ("[budget]\nwarn_at = 0\n", "0"),
        ('[budget]\non_limit = "halt"\n', '"halt"'),
        ("[models]\ndeny = 3\n", "3"),
        ('[models]\ndeny = ["a/*", 7]\n', "7"),
        ('[models]\ndeny = ""\n', '""'),
        ('[[paths]]\nmatch = []\nfloor = "premium"\n', "[]"),
        ('[[paths]]\nmatch = [""]\nfloor = "premium"\n', '""'),
        ('[[paths]]\nmatch = ["a/[b"]\nfloor = "premium"\n', '"a/[b"'),
        ('[[paths]]\nmatch = ["../other/**"]\nfloor = "premium"\n', '"../other/**"'),
        ('[[paths]]\nfloor = "premium"\n', "paths"),
        ('[paths]\nmatch = "a"\nfloor = "premium"\n', "paths"),
    ],
)
def test_each_wrong_value_is_marked_once(text: str, points_at: str) -> None:
    check(text, ("wrong-value", "error", points_at))


@pytest.mark.parametrize(
    "text",
    [
        'base_url = "http://elsewhere.example"\n',
        '"base-url" = "http://elsewhere.example"\n',
        'API_KEY = "x"\n',
        '[headers]\nx = "y"\n',
        'command = ["sh", "-c", "true"]\n',
        "[providers.lab]\nx = 1\n",
        "[steps.hooks]\nx = 1\n",
        "[server]\nport = 1\n",
    ],
)
def test_what_only_the_user_may_say_is_an_error_and_ignored(text: str) -> None:
    checked = check_dotfile(text + '[budget]\non_limit = "stop"\n', SOURCE)
    assert [(problem.code, problem.severity) for problem in checked.problems] == [("forbidden", "error")], checked.problems
    assert checked.value.budget.on_limit == "stop"


def test_a_project_cannot_add_models() -> None:
    check('[[models]]\nid = "x/y"\n', ("forbidden", "error", "models"))


def test_a_secret_in_the_wrong_place_is_not_repeated() -> None:
    secret = "sk-live-0123456789abcdef0123456789abcdef"
    problems = [
        *check_settings(f'[providers.openrouter]\napi_key = "{secret}"\nauth = "{secret}"\n', "config.toml").problems,
        *check_settings(f'[providers.lab]\nbase_url = "https://{secret}:x@example.com/v1"\n', "config.toml").problems,
        *check_dotfile(f'profile = "{secret}"\n[steps]\nedit = "{secret}"\n', SOURCE).problems,
    ]
    assert len(problems) == 5
    assert not any(secret in problem.words for problem in problems)


def test_a_cap_above_the_users_own_is_lowered_to_it() -> None:
    text = "[budget]\nsession_usd = 5\nday_usd = 1.5\n"
    user = UserLimits(session_pusd=2 * USD, day_pusd=2 * USD)
    check(text, ("budget-above-user", "warning", "5"), user=user)
    assert check_dotfile(text, SOURCE, user).value.budget == Caps(2 * USD, 3 * USD // 2)


def test_a_profile_of_the_users_own_may_be_named() -> None:
    check('profile = "nightly"\n', user=UserLimits(profiles=frozenset({"nightly"})))
    check('profile = "nightly"\n', ("wrong-value", "error", '"nightly"'), user=UserLimits())


def test_an_allow_list_that_cannot_be_read_allows_nothing() -> None:
    assert check_dotfile("[models]\nallow = 3\n", SOURCE).value.denied("openai/gpt") is not None
    assert check_dotfile("[models]\nallow = [3]\n", SOURCE).value.denied("openai/gpt") is not None
    assert check_dotfile("[models]\n", SOURCE).value.denied("openai/gpt") is None


def test_items_keep_their_lines_when_earlier_ones_are_left_out() -> None:
    text = '[[paths]]\nmatch = [\n  "../x",\n  "a",\n]\nfloor = "premium"\n[models]\ndeny = [\n  1,\n  "b/*",\n]\n'
    dotfile = check_dotfile(text, SOURCE).value
    floor = dotfile.floor_for(["a"])
    assert floor is not None
    assert (floor.glob, floor.line) == ("a", 4)
    assert dotfile.denied("b/c") == 'deny "b/*" (.stepfare.toml:10)'


def test_a_syntax_error_keeps_nothing_and_says_where() -> None:
    text = 'profile = "careful"\n[steps\nedit = "premium"\n'
    checked = check_dotfile(text, SOURCE)
    assert not checked.readable
    assert checked.value.profile is None
    (problem,) = checked.problems
    assert (problem.code, problem.line, problem.column) == ("syntax", 2, 7)


@pytest.mark.parametrize(
    ("raw", "code", "line"),
    [
        (b'profile = "\xff"\n', "unreadable", 1),
        (b"\xff\xfep\x00r\x00", "unreadable", 1),
        (b'profile = "careful"\nx = "\xc3("\n', "unreadable", 2),
        ("profile = '\ud800'", "unreadable", 1),
        (b'profile = "care\x00ful"\n', "syntax", 1),
        (b"x = " + b"[" * 20_000, "syntax", 0),
        (b"x = " + b"[" * 40 + b"]" * 40, "syntax", 0),
        (b"\na" + b".a" * 20_000 + b" = 1", "syntax", 2),
        (b"x" * 60_000, "syntax", 1),
        (b"'a'." * 12_000, "syntax", 1),
        (b"x = " + b"9" * 20_000, "syntax", 0),
        (b"x = 1\nx = 2\n", "syntax", 2),
        (b"x = 2026-02-31\n", "syntax", 1),
        (b"x = '", "syntax", 1),
        (b"#" * (DOTFILE_BYTES_MAX + 1), "too-large", 0),
    ],
)
def test_what_is_no_toml_is_one_problem(raw: str | bytes, code: str, line: int) -> None:
    checked = check_dotfile(raw, SOURCE)
    assert not checked.readable
    (problem,) = checked.problems
    assert (problem.code, problem.severity) == (code, "error")
    assert problem.line == line


def test_a_byte_order_mark_and_windows_line_ends_are_borne() -> None:
    checked = check_dotfile(b"\xef\xbb\xbf" + WHOLE.replace("\n", "\r\n").encode(), SOURCE)
    assert [problem.severity for problem in checked.problems] == ["warning"]
    assert checked.value == check_dotfile(WHOLE, SOURCE).value


def test_very_many_problems_are_cut() -> None:
    text = "".join(f"unknown{number} = 1\n" for number in range(PROBLEMS_MAX + 50))
    problems = check_dotfile(text, SOURCE).problems
    assert len(problems) == PROBLEMS_MAX + 1
    assert problems[-1].words.startswith("50 more")


def test_settings_are_read_as_they_are_documented() -> None:
    checked = check_settings(SETTINGS, "config.toml")
    settings = checked.value
    assert checked.problems == ()
    assert settings.profile == "nightly"
    assert settings.user_profiles() == {"nightly": {StepKind.EDIT: Tier.FRUGAL}}
    assert settings.providers["lab"].base_url == "http://127.0.0.1:9000/v1"
    assert settings.models[0].price is not None
    assert settings.models[0].price.cache_write == 125_000
    assert settings.tiers.by_tier() == {Tier.FRUGAL: ("lab/small",)}
    assert limits_of(settings) == UserLimits(None, 25 * USD, None, frozenset({"nightly"}))
    assert not settings.privacy.titles
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 4884)
    assert checked.lines["models.0.price.output"] == 16


SETTINGS = """\
profile = "nightly"
baseline = "anthropic/claude-opus-5-5"
[providers.openrouter]
api_key = "env:OPENROUTER_API_KEY"
[providers.lab]
dialect = "openai"
base_url = "http://127.0.0.1:9000/v1/"
api_key = "file:/home/me/lab key"
auth = "x-api-key"
[[models]]
id = "lab/small"
tier = "frugal"
context_tokens = 200_000
max_output_tokens = 32_000
capabilities = ["tools", "vision", "reasoning"]
price = { input = 0.10, cache_read = 0.01, cache_write = 0.125, cache_write_1h = 0.20, output = 0.50 }
price_steps = [{ above_tokens = 100_000, input = 0.50, cache_read = 0.05, cache_write = 0.625, output = 2.50 }]
price_from = [{ date = "2027-01-01", input = 0.20, output = 1.00 }, { hours = "01:00-04:00", input = 0.05 }]
[tiers]
frugal = ["lab/small"]
[profiles.nightly]
edit = "frugal"
[budget]
day_usd = 25.00
on_limit = "ask"
[ledger]
url = "sqlite"
[privacy]
titles = false
"""


def test_half_of_the_settings_still_serve() -> None:
    text = (
        "profile = 'nope'\n[server]\nport = 0\n[providers.lab]\ndialect = 'klingon'\nbase_url = 'ftp://x'\n"
        "[providers.'two words']\n[profiles.balanced]\nedit = 'frugal'\n"
        "[[models]]\ntier = 'frugal'\n[[models]]\nid = 'lab/small'\nprice = { input = 1 }\n[[models]]\nid = 'lab/large'\n"
        "price_from = [{ date = 'soon' }]\n[ledger]\nurl = 'mysql://x'\n[gates]\nenabled = true\n"
    )
    checked = check_settings(text, "config.toml")
    settings = checked.value
    assert [(problem.line, problem.code) for problem in checked.problems] == [
        (1, "wrong-value"),
        (3, "wrong-value"),
        (5, "wrong-value"),
        (6, "wrong-value"),
        (7, "wrong-value"),
        (8, "wrong-value"),
        (10, "wrong-value"),
        (14, "wrong-value"),
        (17, "wrong-value"),
        (19, "wrong-value"),
        (20, "unknown-key"),
    ]
    assert (settings.profile, settings.server.port, settings.ledger.url) == ("balanced", 4884, "sqlite")
    assert [model.id for model in settings.models] == ["lab/small", "lab/large"]
    assert set(settings.providers) == {"lab"}


# What people and machines put into such files, and what breaks parsers.
PIECES = st.sampled_from(
    [
        *("profile", "steps", "edit", "paths", "match", "floor", "models", "allow", "deny", "budget", "session_usd", "on_limit", "api_key"),
        *(
            '"premium"',
            '"a/**"',
            '"""',
            "'''",
            "''",
            '"',
            "'",
            "[",
            "]",
            "[[",
            "]]",
            "{",
            "}",
            "=",
            ".",
            ",",
            "\n",
            "\r\n",
            "\r",
            " ",
            "#",
            "\\",
        ),
        *(
            "1",
            "1.5",
            "-0",
            "1e9",
            "nan",
            "inf",
            "true",
            "2026-11-21",
            "07:32:00",
            "0x1f",
            "\ufeff",
            "\x00",
            "\u00e9",
            "\U0001f600",
            "\ud800",
        ),
    ]
)
TEXTS = st.one_of(
    st.text(max_size=60),
    st.lists(PIECES, max_size=40).map("".join),
    st.tuples(st.integers(0, len(WHOLE)), st.integers(0, len(WHOLE)), st.lists(PIECES, max_size=4).map("".join)).map(
        lambda cut: WHOLE[: min(cut[:2])] + cut[2] + WHOLE[max(cut[:2]) :]
    ),
)


@given(TEXTS)
def test_any_text_gives_a_result_and_problems_that_point_into_it(text: str) -> None:
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    for checked in (check_dotfile(text, SOURCE, UserLimits(USD, USD)), check_settings(text, SOURCE)):
        assert checked.readable or checked.problems
        for problem in checked.problems:
            assert problem.words
            assert 0 <= problem.line <= len(lines)
            assert problem.column >= 1 if problem.line else problem.column == 0
            if problem.code not in ("syntax", "unreadable"):
                assert problem.column + problem.length - 1 <= len(lines[problem.line - 1])


@given(st.binary(max_size=200))
def test_any_bytes_give_a_result(raw: bytes) -> None:
    assert check_dotfile(raw, SOURCE).lines is not None
    assert check_settings(raw, SOURCE).value.server.port == 4884 or b"port" in raw


def test_a_file_at_the_bound_is_read_in_time() -> None:
    table = '[[paths]]\nmatch = ["src/*/a*b*/**"]\nfloor = "premium"\n'
    checked = check_settings("# " + "x" * (SETTINGS_BYTES_MAX - 3) + "\n", "config.toml")
    assert checked.readable
    crowded = check_dotfile(table * 499, SOURCE)
    assert crowded.problems == ()
    assert len(crowded.value.paths) == 499
