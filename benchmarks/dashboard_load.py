"""How the dashboard bears many clients: their lag, its processor time and memory. Loopback only.

    python -m benchmarks.dashboard_load                   # 200 clients on 10 sessions for 30 s
    python -m benchmarks.dashboard_load --hours 4         # memory over hours of market time, as fast as it goes
    python -m benchmarks.dashboard_load --frames          # the page's frames in headless Chromium

The server is a process of its own, all clients are another. Lag is from when the server took a picture of the book to
when a client has the text, on one machine's clock; clients read the time that stands in the text, and no more.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np

MADE = re.compile(r'"made":([0-9.]+)')
HOUR_NS = 3_600_000_000_000


class Server:
    """``hft-gym dashboard``, and what the system says of it."""

    def __init__(self, folder: str, *options: str) -> None:
        command = [sys.executable, "-m", "hft_gym", "dashboard", "--port=0", f"--keep={folder}", "--symbols", "AAPL"]
        self.process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        found = re.search(r"http://(127\.0\.0\.1:\d+)/", self.process.stdout.readline())
        if not found:
            raise SystemExit("the dashboard did not start")
        self.host = found[1]

    def usage(self) -> tuple[float, float]:
        """Processor time [s] and resident memory [MB]."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return seconds, int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    def figure(self, name: str) -> float:
        """One of ``/metrics``."""
        with urllib.request.urlopen(f"http://{self.host}/metrics") as answer:
            found = re.search(rf"^hft_gym_dashboard_{name} (.*)$", answer.read().decode(), re.M)
        return float(found[1]) if found else float("nan")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)


async def attach(host: str, session: str = ""):
    """A client's connection and the session that it has."""
    from websockets.asyncio.client import connect

    socket = await connect(f"ws://{host}/ws", compression=None, max_size=None, open_timeout=60)
    await socket.send(json.dumps({"v": 1, "type": "attach", "id": 1, "session": session}))
    while True:
        told = json.loads(await socket.recv())
        if told.get("id") == 1:
            if "session" not in told:
                raise SystemExit(f"a client was refused: {told}")
            return socket, told["session"]


async def clients(host: str, count: int, sessions: int, seconds: float, warm_up: float) -> dict[str, float]:
    """Watch with *count* clients; what they saw."""
    sockets, names = [], []
    for i in range(count):
        socket, name = await attach(host, names[i % sessions] if i >= sessions else "")
        sockets.append(socket)
        names.append(name)
    lags: list[float] = []
    texts = 0
    begin = time.monotonic() + warm_up
    end = begin + seconds

    async def watch(socket) -> None:
        nonlocal texts
        while True:
            text = await socket.recv()
            now = time.time()
            if time.monotonic() < begin:
                continue
            texts += 1
            if text.startswith('{"type":"ladder"'):
                lags.append(now - float(MADE.search(text)[1]))

    tasks = [asyncio.create_task(watch(socket)) for socket in sockets]
    await asyncio.sleep(end - time.monotonic())
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for socket in sockets:
        await socket.close()
    found = np.array(lags) * 1e3
    return {
        "median_ms": float(np.median(found)),
        "p99_ms": float(np.quantile(found, 0.99)),
        "worst_ms": float(found.max()),
        "ladders_per_client_s": len(found) / count / seconds,
        "texts_s": texts / seconds,
        "client_cpu_s": time.process_time(),
    }


def load(options: argparse.Namespace) -> None:
    """200 clients on 10 sessions."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(folder, "--max-clients", str(options.clients + 8), "--strategy", options.strategy)
        try:
            work = [sys.executable, "-m", "benchmarks.dashboard_load", "--watch", server.host]
            work += ["--clients", str(options.clients), "--sessions", str(options.sessions)]
            work += ["--seconds", str(options.seconds), "--warm-up", str(options.warm_up)]
            watching = subprocess.Popen(work, stdout=subprocess.PIPE, text=True)
            seen = []
            while watching.poll() is None:
                seen.append((time.monotonic(), *server.usage()))
                time.sleep(0.5)
            assert watching.stdout is not None
            told = json.loads(watching.stdout.read())
            behind = server.figure("session_behind_seconds_total")
        finally:
            server.stop()
    # The last part: everybody is there, and what was compiled is compiled.
    began, cpu, first = next(row for row in seen if row[0] >= seen[-1][0] - 0.8 * options.seconds)
    ended, cpu_end, last = seen[-1]
    print(f"{options.clients} clients on {options.sessions} sessions for {options.seconds:g} s")
    print("  lag: median {median_ms:.1f} ms, 99th percentile {p99_ms:.1f}, worst {worst_ms:.0f}".format(**told))
    print("  {ladders_per_client_s:.1f} ladders a second and client, {texts_s:.0f} texts a second".format(**told))
    print(f"  server: {(cpu_end - cpu) / (ended - began):.2f} cores, memory {first:.0f} MB to {last:.0f} MB")
    print(f"  clients: {told['client_cpu_s'] / (options.seconds + options.warm_up):.2f} cores with set-up")
    print(f"  load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; time given up {behind:.1f} s")


def long_run(options: argparse.Namespace) -> None:
    """Memory over hours of market time."""

    async def play(server: Server) -> None:
        socket, _ = await attach(server.host)
        last, began = 0, time.monotonic()
        async for text in socket:
            if not text.startswith('{"type":"ladder"'):
                continue
            now = json.loads(text)["time"]
            if now // 600_000_000_000 > last or now >= options.hours * HOUR_NS:
                last = now // 600_000_000_000
                print(f"  {now / 60e9:5.1f} min of market time: {server.usage()[1]:.0f} MB", flush=True)
            if now >= options.hours * HOUR_NS or time.monotonic() - began > options.seconds:
                return

    with tempfile.TemporaryDirectory() as folder:
        server = Server(folder, "--speed", "0", "--strategy", options.strategy)
        try:
            asyncio.run(play(server))
        finally:
            server.stop()


GAPS = """() => {
  window.gaps = [];
  let last = performance.now();
  const note = (now) => { gaps.push(now - last); last = now; requestAnimationFrame(note); };
  requestAnimationFrame((now) => { last = now; requestAnimationFrame(note); });
}"""


def frames(options: argparse.Namespace) -> None:
    """The time between two frames of the page, with all its panels at 20 books and 4 curves a second."""
    from playwright.sync_api import sync_playwright

    from tests.browser import FLAGS

    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("chromium is not installed")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server(folder, "--strategy", options.strategy)
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        try:
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(f"http://{server.host}/")
            page.wait_for_selector(".link.online")
            page.wait_for_timeout(1e3 * options.warm_up)
            page.evaluate(GAPS)
            page.wait_for_timeout(1e3 * options.seconds)
            gaps, drawing = np.array(page.evaluate("gaps")), page.inner_text("#frame")
        finally:
            browser.close()
            server.stop()
    print(f"{len(gaps)} frames in {options.seconds:g} s, the display's 60 Hz being 16.7 ms")
    print(f"  between two: median {np.median(gaps):.1f} ms, 99th percentile {np.quantile(gaps, 0.99):.1f}")
    print(f"  drawing of book, trades and orders, median: {drawing}")
    print(f"  load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


def main() -> None:
    """Read the options, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--sessions", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=None, help="default: 30, with --hours 600 at most")
    parser.add_argument("--warm-up", type=float, default=5.0, help="seconds before the clients measure")
    parser.add_argument("--strategy", default="join-touch", help="beside an empty slot and the viewer")
    parser.add_argument("--hours", type=float, help="memory over so many hours of market time")
    parser.add_argument("--frames", action="store_true", help="of the page, in headless Chromium")
    parser.add_argument("--watch", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.seconds = options.seconds or (600.0 if options.hours else 30.0)
    if options.watch:
        o = options
        told = asyncio.run(clients(o.watch, o.clients, o.sessions, o.seconds, o.warm_up))
        print(json.dumps(told))
    elif options.hours:
        long_run(options)
    elif options.frames:
        frames(options)
    else:
        load(options)


if __name__ == "__main__":
    main()
