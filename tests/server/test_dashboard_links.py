"""Links that open the dashboard once, and visits that end."""

from __future__ import annotations

from stepfare.server.dashboard_links import COOKIE, LINK_MS, LINKS_MAX, VISIT_MS, VISITS_MAX, Links, Visit

NOW_MS = 1_700_000_000_000


def entered(links: Links) -> Visit:
    visit = links.enter(links.make(NOW_MS), NOW_MS)
    assert visit is not None
    return visit


def test_a_link_opens_once() -> None:
    links = Links()
    key = links.make(NOW_MS)
    assert links.enter(key, NOW_MS + LINK_MS) is not None
    assert links.enter(key, NOW_MS + LINK_MS) is None


def test_a_link_opens_for_a_minute() -> None:
    links = Links()
    key = links.make(NOW_MS)
    assert links.enter(key, NOW_MS + LINK_MS + 1) is None
    assert links.enter(key, NOW_MS) is None, "an attempt that came too late uses the link up too"


def test_what_nobody_made_opens_nothing() -> None:
    links = Links()
    key = links.make(NOW_MS)
    for guess in ("", "x", key[:-1], key + "x", key.swapcase(), "\udcff", "é"):
        assert links.enter(guess, NOW_MS) is None
    assert links.enter(key, NOW_MS) is not None


def test_of_many_links_the_latest_open() -> None:
    links = Links()
    keys = [links.make(NOW_MS) for _ in range(LINKS_MAX + 1)]
    assert [links.enter(key, NOW_MS) is not None for key in keys] == [False, *[True] * LINKS_MAX]


def test_a_visit_has_a_cookie_and_a_place_of_its_own() -> None:
    links = Links()
    mine, other = entered(links), entered(links)
    assert links.admits(mine.place, {COOKIE: mine.secret}, NOW_MS)
    assert not links.admits(mine.place, {COOKIE: other.secret}, NOW_MS)
    assert not links.admits(other.place, {COOKIE: mine.secret}, NOW_MS)
    assert not links.admits(mine.place, {COOKIE: ""}, NOW_MS)
    assert not links.admits(mine.place, {}, NOW_MS)
    assert not links.admits("elsewhere", {COOKIE: mine.secret}, NOW_MS)


def test_a_visit_ends_by_itself() -> None:
    links = Links()
    visit = entered(links)
    assert links.admits(visit.place, {COOKIE: visit.secret}, NOW_MS + VISIT_MS)
    assert not links.admits(visit.place, {COOKIE: visit.secret}, NOW_MS + VISIT_MS + 1)


def test_of_many_visits_the_latest_go_on() -> None:
    links = Links()
    visits = [entered(links) for _ in range(VISITS_MAX + 1)]
    admitted = [links.admits(one.place, {COOKIE: one.secret}, NOW_MS) for one in visits]
    assert admitted == [False, *[True] * VISITS_MAX]
