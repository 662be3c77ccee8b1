"""The page's files: small, whole, asking nobody, the vendored ones as they were, and colours that can be read."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

import pytest

from stepfare.server.dashboard.files import FOLDER, page_files

PAGE_BYTES_MAX = 150_000
CONTRAST_MIN = 4.5
"""WCAG 2.2 AA for text of this size."""
CONTRAST_OF_MARKS_MIN = 3.0
GROUNDS = ("ground", "paper")
TEXTS = ("text", "muted", "accent", "ok", "warn", "bad", "balanced", "premium", "frugal-text")
MARKS = ("frugal", "balanced", "premium")


def test_the_page_is_small_whole_and_asks_nobody_else() -> None:
    files = page_files()
    assert sum(len(file.body) for file in files.values()) < PAGE_BYTES_MAX
    page = files["index.html"].body.decode()
    named = re.findall(r'(?:src|href)="/dashboard/files/([^"]+)"', page)
    assert named
    assert set(named) <= set(files)
    assert not re.search(r"<script(?![^>]*\ssrc=)|\son\w+=|\sstyle=|javascript:", page)
    reached = set(named)
    for name, file in files.items():
        text = file.body.decode()
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg|github\.com/leeoniya/uPlot)", text), name
        assert "innerHTML" not in text, name
        imported = re.findall(r'from "\./([\w.]+)"', text)
        assert set(imported) <= set(files), name
        reached |= {*imported, "index.html"}
    assert reached == set(files), "no file that nothing asks for"


def test_what_is_vendored_is_what_was_published() -> None:
    told = dict(re.findall(r"^  ([0-9a-f]{64}) ([\w.]+),", (FOLDER / "vendor/vendored.txt").read_text(), re.MULTILINE))
    there = {hashlib.sha256(path.read_bytes()).hexdigest(): path.name for path in (FOLDER / "vendor").glob("*.[cj]s*")}
    assert told == there
    assert "Permission is hereby granted" in (FOLDER / "vendor/uPlot.LICENSE").read_text()


def colours(css: str) -> Mapping[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", css))


def luminance(colour: str) -> float:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_colour_of_text_can_be_read_on_every_ground(dark: bool) -> None:
    light_css, dark_css = page_files()["style.css"].body.decode().split("@media (prefers-color-scheme: dark)", 1)
    scheme = {**colours(light_css), **(colours(dark_css) if dark else {})}
    assert set(colours(light_css)) == set(colours(dark_css))
    for ground in GROUNDS:
        for text in TEXTS:
            assert contrast(scheme[text], scheme[ground]) >= CONTRAST_MIN, (text, ground)
        for mark in MARKS:
            assert contrast(scheme[mark], scheme[ground]) >= CONTRAST_OF_MARKS_MIN, (mark, ground)
