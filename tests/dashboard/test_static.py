"""The page as files: nothing inline, nothing from elsewhere, every id there, readable colours."""

import re
from pathlib import Path

import pytest

from hft_gym.dashboard import config, schema

STATIC = Path(config.__file__).parent / "static"
FILES = sorted(STATIC.iterdir())
SCRIPTS = [path for path in FILES if path.suffix == ".js"]
PAGE = (STATIC / "index.html").read_text()
STYLE = (STATIC / "style.css").read_text()


def test_nothing_is_inline():
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=|javascript:", PAGE)
    banned = r"\beval\(|new Function|innerHTML|outerHTML|insertAdjacentHTML|document\.write|setAttribute\(\"style"
    for path in SCRIPTS:
        assert not re.search(banned, path.read_text()), path


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nothing_comes_from_elsewhere(path):
    found = set(re.findall(r"(?:https?:)?//[\w.-]+\.[a-z]{2,}", path.read_text()))
    assert found <= {"http://www.w3.org"}, "only the names of XML"


def test_assets_are_there():
    for name in re.findall(r'(?:src|href)="/static/([^"]+)"', PAGE):
        assert (STATIC / name).is_file(), name
    for path in SCRIPTS:
        for name in re.findall(r'from "\./([^"]+)"|import\("\./([^"]+)"\)', path.read_text()):
            assert (STATIC / "".join(name)).is_file(), name


def test_ids_of_the_scripts_are_in_the_page():
    there = re.findall(r'\bid="([^"]+)"', PAGE)
    assert len(there) == len(set(there)), "ids are unique"
    for path in SCRIPTS:
        asked = re.findall(r'\$\("([\w-]+)"\)|getElementById\("([\w-]+)"\)', path.read_text())
        missing = {a or b for a, b in asked} - set(there)
        assert not missing, (path.name, missing)


def test_labels_name_every_field():
    fields = re.findall(r"<(?:input|select)\b[^>]*>", PAGE)
    labelled = re.findall(r"<label[^>]*>(?:(?!</label>).)*?(<(?:input|select)\b[^>]*>)", PAGE, re.S)
    bare = [f for f in fields if f not in labelled and "aria-label" not in f]
    assert fields and not bare, bare


def test_the_scripts_say_what_the_server_understands():
    said = set()
    for path in SCRIPTS:
        said |= set(re.findall(r'\bask\("([\w-]+)"', path.read_text()))
        said |= set(re.findall(r'\? "(\w+)" : "(\w+)"\)\);', path.read_text())[0] if path.name == "app.js" else ())
    assert said == set(schema.MESSAGES), "no message without a control, and no control without a message"


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a, b):
    """WCAG 2.2, definition of contrast ratio."""
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def themes():
    dark = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", STYLE.split("}")[0]))
    light = re.search(r'data-theme="light"\] \{(.*?)\}', STYLE, re.S)
    return {"dark": dark, "light": {**dark, **dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", light.group(1)))}}


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_texts_are_readable(theme):
    """WCAG AA: 4.5:1 for text, 3:1 for lines of charts."""
    c = themes()[theme]
    for text in ("text", "dim", "accent", "bid", "ask", "up", "down", "warn", "trader-2"):
        for under in ("bg", "panel", "panel-high"):
            assert contrast(c[text], c[under]) >= 4.5, (text, under, contrast(c[text], c[under]))
    for text, under in (("accent-ink", "accent"), ("button-ink", "buy-button"), ("button-ink", "sell-button")):
        assert contrast(c[text], c[under]) >= 4.5, (text, under)
    for line in ("trader-0", "trader-1", "trader-2", "trader-3", "vwap", "fast", "slow"):
        assert contrast(c[line], c["panel"]) >= 3.0, line
    assert contrast("#777777", "#888888") < 3.0, "the control: greys on grey are not"
