"""The dashboard as its readers have it: a real server, headless Chromium.

``HFT_GYM_PICTURES=docs/pictures make test-browser ARGS="-k pictures"`` makes the pictures of the documentation anew.
"""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.data_files import ROOT

pytestmark = pytest.mark.browser
WAIT = 30_000


class Process:
    """``hft-gym dashboard`` in a process of its own."""

    def __init__(self, folder, *options):
        self.folder, self.options = folder, options

    def start(self, port=0):
        command = [sys.executable, "-m", "hft_gym", "dashboard", f"--port={port}", f"--keep={self.folder}"]
        self.process = subprocess.Popen([*command, *self.options], stdout=subprocess.PIPE, text=True)
        watchdog = threading.Timer(120, self.process.kill)
        watchdog.start()
        line = self.process.stdout.readline()
        watchdog.cancel()
        found = re.search(r"(http://127\.0\.0\.1:(\d+)/)", line)
        assert found, f"the dashboard did not start: {line!r}"
        self.url, self.port = found[1], int(found[2])
        return self

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(60)
        self.process.stdout.close()


OPTIONS = ("--strategy", "join-touch", "--strategy", "do-nothing", "--speed", "2")


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """The address of a server that all tests may use: each has a session of its own."""
    process = Process(tmp_path_factory.mktemp("dashboard"), *OPTIONS).start()
    yield process.url
    process.stop()


@pytest.fixture
def dashboard(tmp_path):
    """``dashboard(*options)`` starts one; all are stopped at the end."""
    started = []

    def start(*options):
        started.append(Process(tmp_path / "keep", *(options or OPTIONS)).start())
        return started[-1]

    yield start
    for process in started:
        process.stop()


@pytest.fixture
def look(new_visit):
    """``look(url, width, height)`` opens the page and waits until it streams."""

    def go(url, width=1440, height=900):
        visit = new_visit(width, height, url, url.replace("http", "ws"))
        visit.page.set_default_timeout(WAIT)
        visit.page.goto(url)
        visit.page.wait_for_selector(".link.online")
        until(visit.page, "document.querySelector('#ladder .price').textContent !== ''")
        return visit

    return go


def until(page, expression, seconds=30):
    """Wait until a JavaScript expression holds. (Playwright's own waiting evaluates texts in the page: forbidden.)"""
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"never true: {expression}"
        page.wait_for_timeout(50)


def clock(page):
    """Seconds of market time that the page shows."""
    hours, minutes, seconds = page.inner_text("#clock").split(":")
    return 3600 * int(hours) + 60 * int(minutes) + float(seconds)


def streams(page):
    """Wait until the market's time goes on."""
    until(page, f"document.getElementById('clock').textContent !== {page.inner_text('#clock')!r}")


def test_it_loads_streams_and_asks_nobody_else(shared, look):
    visit = look(shared)
    page = visit.page
    streams(page)
    page.wait_for_selector("#price .scatterlayer .trace")
    assert page.locator("#ladder tbody tr").count() == 20
    bids = [float(text) for text in page.locator("#ladder tr.bid .price").all_inner_texts() if text]
    asks = [float(text) for text in page.locator("#ladder tr.ask .price").all_inner_texts() if text]
    assert bids == sorted(bids, reverse=True) and asks == sorted(asks, reverse=True) and bids[0] < asks[-1]
    # What is drawn is more than one colour.
    for name in ("depth", "c-equity", "c-position"):
        pixels = f"document.getElementById('{name}').getContext('2d').getImageData(0, 0, 300, 150).data"
        until(page, f"new Set({pixels}).size > 8")
    assert visit.problems == []


def test_controls(shared, look):
    visit = look(shared)
    page = visit.page
    page.click("#start")
    until(page, "document.getElementById('start').textContent === 'Start'")
    page.wait_for_timeout(200)
    before = clock(page)
    page.click("#step")
    until(page, f"document.getElementById('clock').textContent.endsWith('{(before + 0.1) % 10:.1f}'.slice(-3))")
    page.fill("#seed", "11")
    page.click("#reset")
    until(page, "document.getElementById('clock').textContent === '0:00:00.0'")
    page.click("h1, #h-price")  # away from the controls, so that the keys are the page's
    page.keyboard.press("Space")
    streams(page)
    page.keyboard.press("3")
    page.wait_for_selector("#symbols [aria-selected=true]:has-text('MSFT')")
    streams(page)
    assert visit.problems == []


def test_a_strategy_is_changed_and_errors_stand_beside_it(shared, look):
    visit = look(shared)
    page = visit.page
    slot = page.locator("#strategies .slot").nth(1)
    slot.locator("select[name=name]").select_option("queue-imbalance")
    slot.locator("input[name=probability]").fill("2")
    slot.locator("button").click()
    until(page, "document.querySelectorAll('#strategies .error')[1].textContent.includes('probability')")
    slot.locator("input[name=probability]").fill("0.7")
    slot.locator("button").click()
    page.wait_for_selector("#traders thead th:has-text('queue-imbalance')")
    assert visit.problems == []


def test_a_limit_trips_and_is_released(shared, look):
    visit = look(shared)
    page = visit.page
    page.click("#risk-form >> xpath=preceding-sibling::summary")
    page.fill("#risk-form [name=max_position]", "1")
    page.select_option("#risk-form [name=on_breach]", "reduce-only")
    page.click("#risk-form button")
    page.fill("#ticket [name=quantity]", "5")
    page.click("#ticket .buy")
    until(page, "document.querySelector('#ticket .error').textContent.includes('position')")
    page.wait_for_selector("#gauges .badge:has-text('reduce-only')")
    page.locator("#traders th:has-text('you') button").click()
    until(page, "!document.querySelector('#traders thead').textContent.includes('youRelease')")
    assert visit.problems == []


def test_a_ticket_is_sent_shown_changed_and_cancelled(shared, look):
    visit = look(shared)
    page = visit.page
    page.locator("#ladder tr.bid .price").nth(4).click()
    page.fill("#ticket [name=quantity]", "2")
    page.click("#ticket .buy")
    page.wait_for_selector("#orders button")
    page.wait_for_selector("#ladder .own.has")
    page.click("#orders [aria-label^='Change order']")
    assert not page.is_visible("#ticket .buy") and page.input_value("#ticket [name=quantity]") == "2"
    page.fill("#ticket [name=quantity]", "1")
    page.click("#change-order")
    until(page, "document.querySelector('#orders tbody td:nth-child(2)').textContent === '1'")
    page.wait_for_selector("#ticket .buy")
    page.click("#cancel-all")
    page.wait_for_selector("#orders :has-text('No working orders')")
    assert visit.problems == []


def test_settings_and_session_are_found_again(shared, look):
    visit = look(shared)
    page = visit.page
    page.click("#open-settings")
    page.fill("#settings-form [name=levels]", "5")
    page.select_option("#settings-form [name=theme]", "light")
    page.click("#save-settings")
    until(page, "document.querySelectorAll('#ladder tbody tr').length === 10")
    id, before = page.evaluate("localStorage['hft_gym.session']"), clock(page)
    page.reload()
    page.wait_for_selector(".link.online")
    until(page, "document.querySelectorAll('#ladder tbody tr').length === 10")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    assert page.evaluate("localStorage['hft_gym.session']") == id
    streams(page)
    assert clock(page) >= before
    assert visit.problems == []


def test_it_comes_back_after_the_server_has_restarted(dashboard, look):
    server = dashboard()
    page = look(server.url).page
    streams(page)
    id, before = page.evaluate("localStorage['hft_gym.session']"), clock(page)
    server.stop()
    page.wait_for_selector(".link.offline")
    assert "looking for the server" in page.inner_text("#banner")
    server.start(server.port)
    page.wait_for_selector(".link.online")
    streams(page)
    assert page.evaluate("localStorage['hft_gym.session']") == id
    assert clock(page) >= before and not page.is_visible("#banner")


def test_a_recording_is_replayed(shared, look):
    visit = look(shared)
    page = visit.page
    page.wait_for_timeout(1500)
    page.click("#record")
    page.wait_for_selector(".toast:has-text('Kept as')")
    page.click("#open-replay")
    until(page, "Number(document.getElementById('replay-slider').max) > 2")
    page.locator("#replay-slider").fill("1")
    early = page.inner_text("#replay-time")
    until(page, f"document.getElementById('clock').textContent === {early!r}")
    page.wait_for_timeout(300)
    assert page.inner_text("#clock") == early, "the live market does not disturb it"
    page.click("#replay-play")
    until(page, f"document.getElementById('clock').textContent !== {early!r}")
    page.click("#replay-close")
    streams(page)
    assert visit.problems == []


def test_files_are_exported(dashboard, look):
    visit = look(dashboard("--strategy", "join-touch", "--speed", "20").url)
    page = visit.page
    until(page, "Number(document.querySelector('#traders tbody tr:nth-child(9) td').textContent) > 0", 90)
    files = (("fills.csv", "Fills, CSV"), ("path.parquet", "Curves, Parquet"), ("report.html", "Report, HTML"))
    for name, text in files:
        with page.expect_download() as download:
            page.click(f"#exports button:has-text('{text}')")
        assert download.value.suggested_filename.endswith(name)
        assert Path(download.value.path()).stat().st_size > 200
    assert visit.problems == []


@pytest.mark.parametrize("width", [360, 390, 760, 1024, 1440, 2200])
def test_nothing_sticks_out(shared, look, width):
    visit = look(shared, width)
    page = visit.page
    page.wait_for_timeout(600)
    wide = page.evaluate("document.documentElement.scrollWidth")
    outside = """[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1)
                 .map(e => `${e.tagName} ${e.id} ${e.className}`)"""
    assert wide <= width, page.evaluate(outside)[:8]
    assert visit.problems == []


def test_paper_trading_is_watched_and_a_person_trades_beside_it(tmp_path, look):
    words = ("paper", "--feed", "mock", "--strategy", "join-touch", "--speed", "5", "--dashboard", "0")
    command = [sys.executable, "-m", "hft_gym", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path, env=os.environ)
    try:
        found = re.search(r"http://127\.0\.0\.1:\d+/", process.stdout.readline())
        visit = look(found[0])
        page = visit.page
        streams(page)
        for name in ("start", "step", "speed", "seed", "reset", "preset"):
            assert page.is_disabled(f"#{name}"), name
        page.fill("#ticket [name=quantity]", "2")
        page.click("#ticket .buy")
        until(page, "document.getElementById('my-position').textContent === 'Position 2 lots'")
        assert visit.problems == []
    finally:
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[0]
    assert process.returncode == 0 and "human" in said


def test_the_benchmark_of_the_frames():
    short = ["--frames", "--seconds", "1", "--warm-up", "1"]
    command = [sys.executable, "-m", "benchmarks.dashboard_load", *short]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "between two: median" in done.stdout


PICTURES = os.environ.get("HFT_GYM_PICTURES")
AGENT = os.environ.get("HFT_GYM_AGENT", "inventory-skew")


@pytest.mark.skipif(not PICTURES, reason="set HFT_GYM_PICTURES to the folder of the pictures")
@pytest.mark.parametrize(("name", "width", "height"), [("desktop", 1440, 1480), ("phone", 390, 1500)])
def test_pictures(dashboard, look, name, width, height):
    options = ("--strategy", AGENT, "--strategy", "microprice-maker", "--speed", "10", "--seed", "5")
    page = look(dashboard(*options).url, width, height).page
    page.select_option("#speed", "10")
    until(page, "document.getElementById('clock').textContent > '0:02:00'", 180)
    page.locator("#ladder tr.bid .price").nth(2).click()
    page.fill("#ticket [name=quantity]", "2")
    page.click("#ticket .buy")
    page.wait_for_selector("#orders button")
    page.wait_for_timeout(1500)
    page.screenshot(path=Path(PICTURES) / f"dashboard-{name}.png")
