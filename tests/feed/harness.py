"""What tests of feeds share: a clock that they move, a run that leaves nothing behind, venues, a proxy of faults."""

import asyncio
import contextlib
import gc
import json
import random
from pathlib import Path

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

from hft_gym.feed import Clock


class ManualClock(Clock):
    """A clock that moves when somebody sleeps: no test waits for real time."""

    def __init__(self, start=1_000_000_000):
        self.now = start
        self.slept = []

    def monotonic(self):
        return self.now

    def unix(self):
        return self.now

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += round(seconds * 1e9)
        await asyncio.sleep(0)


def open_files():
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


def run(work, seconds=120):
    """Run a coroutine (the time limit is against hanging alone); afterwards no task and no socket may be left."""

    async def guarded():
        before = open_files()
        async with asyncio.timeout(seconds):
            result = await work
        for _ in range(3):
            await asyncio.sleep(0.001)  # transports close in the next turns of the loop
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert not others, others
        gc.collect()
        assert open_files() <= before
        return result

    return asyncio.run(guarded())


async def until(condition, seconds=60):
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.001)


class Server:
    """A WebSocket server on a free port."""

    async def __aenter__(self):
        self._server = await serve(
            self._handle, "127.0.0.1", 0, process_request=self._http, ping_interval=None, close_timeout=0.1,
            max_size=2**25, compression=None,
        )  # fmt: skip
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        await self._server.wait_closed()

    @property
    def url(self):
        return f"ws://127.0.0.1:{self.port}/stream"

    async def _http(self, connection, request):
        return None

    async def _handle(self, connection):
        with contextlib.suppress(ConnectionClosed):
            await self.handle(connection)


class FaultProxy(Server):
    """Between a client and *upstream*; does something to the n-th text that goes to the client.

    Faults: gap (left out), duplicate, reorder (after the next one), garbage (in its place), noise (garbage before it),
    cut (the connection ends), stall (nothing more comes), dead (nothing more comes, and pings are not answered).
    """

    def __init__(self, upstream, faults):
        self.upstream, self.faults = upstream, dict(faults)
        self.texts = 0

    async def handle(self, client):
        async with connect(
            self.upstream, max_size=2**25, ping_interval=None, compression=None, close_timeout=0.1
        ) as server:

            async def upward():
                async for text in client:
                    await server.send(text)
                await server.close()

            up = asyncio.create_task(upward())
            held = None
            try:
                async for text in server:
                    fault = self.faults.get(self.texts)
                    self.texts += 1
                    if fault == "cut":
                        client.transport.abort()
                        return
                    if fault == "dead":
                        client.transport.pause_reading()
                    if fault in ("stall", "dead"):
                        await client.wait_closed()
                        return
                    if fault == "reorder":
                        held = text
                        continue
                    if fault in ("garbage", "noise"):
                        await client.send('{"e":"depthUpdate","s":"TESTUSDT","channel":"l2_data",')
                    if fault not in ("gap", "garbage"):
                        await client.send(text)
                    if fault == "duplicate":
                        await client.send(text)
                    if held is not None:
                        await client.send(held)
                        held = None
            finally:
                up.cancel()
                await asyncio.gather(up, return_exceptions=True)


def best(book, levels=5):
    """Sides of {price: size} as a message shows them."""
    bids, asks = book
    return (
        tuple((p / 1e8, bids[p] / 1e8) for p in sorted(bids, reverse=True)[:levels]),
        tuple((p / 1e8, asks[p] / 1e8) for p in sorted(asks)[:levels]),
    )


def units(text):
    whole, _, part = text.partition(".")
    return int(whole) * 10**8 + int(part.ljust(8, "0") or 0)


def put(side, price, size):
    if size:
        side[units(price)] = size
    else:
        side.pop(units(price), None)


class BinanceVenue(Server):
    """Plays a capture (lines as recorded) to whoever subscribes, and gives snapshots of its own plain book.

    ``truth``: symbol's update id -> best levels. Of a new connection the first few updates are lost for it: the
    exchange does not wait.
    """

    def __init__(self, lines, pause=0.0005, slow=0.0, refuse=0, old=0, away=3):
        self.events, book = [], None
        for line in lines:
            message = json.loads(line.split(" ", 1)[1])
            if "lastUpdateId" in message:
                book = message
            elif message["data"]["e"] != "bookTicker":
                self.events.append(message)
        self.last = book["lastUpdateId"]
        self.book = tuple({units(p): units(q) for p, q in book[side]} for side in ("bids", "asks"))
        self.first_snapshot = {k: book[k] for k in ("lastUpdateId", "bids", "asks")}
        self.truth = {self.last: best(self.book)}
        self.pause, self.slow, self.refuse, self.old, self.away = pause, slow, refuse, old, away
        self.at = 0
        self.connections = 0
        self.requests = []
        self.snapshots = 0

    @property
    def final(self):
        return max(e["data"]["u"] for e in self.events if e["data"]["e"] == "depthUpdate")

    async def _http(self, connection, request):
        if not request.path.startswith("/api/v3/depth"):
            return None
        self.requests.append(request.path)
        if self.refuse:
            self.refuse -= 1
            response = connection.respond(429, "too many")
            response.headers["Retry-After"] = "0.01"
            return response
        if self.slow:
            await asyncio.sleep(self.slow)
        if self.old:
            self.old -= 1
            return connection.respond(200, json.dumps(self.first_snapshot))
        self.snapshots += 1
        bids, asks = self.book
        text = {
            "lastUpdateId": self.last,
            "bids": [[f"{p / 1e8:.8f}", f"{q / 1e8:.8f}"] for p, q in bids.items()],
            "asks": [[f"{p / 1e8:.8f}", f"{q / 1e8:.8f}"] for p, q in asks.items()],
        }
        return connection.respond(200, json.dumps(text))

    @property
    def rest_url(self):
        return f"http://127.0.0.1:{self.port}/api/v3/depth?limit=5000"

    def next(self):
        message = self.events[self.at]
        self.at += 1
        data = message["data"]
        if data["e"] == "depthUpdate" and data["u"] > self.last:
            for side, name in zip(self.book, ("b", "a"), strict=True):
                for price, size in data[name]:
                    put(side, price, units(size))
            self.last = data["u"]
            self.truth[self.last] = best(self.book)
        return message

    async def handle(self, connection):
        request = json.loads(await connection.recv())
        assert request["method"] == "SUBSCRIBE" and any("@depth" in p for p in request["params"])
        await connection.send(json.dumps({"result": None, "id": request["id"]}))
        if self.connections:
            for _ in range(min(self.away, len(self.events) - self.at - 1)):
                self.next()
        self.connections += 1
        while self.at < len(self.events):
            await connection.send(json.dumps(self.next()))
            await asyncio.sleep(self.pause)
        await connection.wait_closed()


def coinbase_events(seed=0, n=150, products=("A-USD", "B-USD")):
    """Made-up books, then (channel, event) of random changes."""
    draw = random.Random(seed)
    books = {p: ({}, {}) for p in products}
    for bids, asks in books.values():
        for i in range(20):
            bids[10_000 - i] = draw.randint(1, 50)
            asks[10_001 + i] = draw.randint(1, 50)
    start = {p: tuple(dict(side) for side in book) for p, book in books.items()}
    events = []
    for _ in range(n):
        product = draw.choice(products)
        if draw.random() < 0.2:
            trade = {
                "product_id": product, "trade_id": str(len(events)), "price": f"{10_000 / 100:.2f}", "size": "0.5",
                "side": draw.choice(("BUY", "SELL")), "time": "2026-08-09T21:05:48.1Z",
            }  # fmt: skip
            events.append(("market_trades", {"type": "update", "trades": [trade]}))
            continue
        updates = []
        for _ in range(draw.randint(1, 3)):
            side = draw.randrange(2)
            price = 10_000 - draw.randrange(15) if side == 0 else 10_001 + draw.randrange(15)
            size = draw.choice((0, draw.randint(1, 50)))
            books[product][side][price] = size
            updates.append(coinbase_level(side, price, size))
        events.append(("l2_data", {"type": "update", "product_id": product, "updates": updates}))
    snapshots = [
        {
            "type": "snapshot", "product_id": p,
            "updates": [coinbase_level(s, price, size) for s in (0, 1) for price, size in start[p][s].items()],
        }
        for p in products
    ]  # fmt: skip
    return snapshots, events


def coinbase_level(side, price, size):
    return {
        "side": ("bid", "offer")[side], "event_time": "", "price_level": f"{price / 100:.2f}",
        "new_quantity": f"{size / 100:.2f}",
    }  # fmt: skip


class CoinbaseVenue(Server):
    """Plays events to whoever subscribes; joining level2 brings a snapshot of its own plain book.

    Every connection's numbers begin at another thousand, so that ``truth`` may go by (product, number).
    """

    def __init__(self, snapshots, events, pause=0.0005):
        self.books = {}
        for event in snapshots:
            self.books[event["product_id"]] = ({}, {})
            self.apply(event)
        self.events, self.pause = events, pause
        self.at = 0
        self.connections = 0
        self.joined = []
        self.truth = {}

    def apply(self, event):
        for update in event["updates"]:
            side = self.books[event["product_id"]][update["side"] != "bid"]
            put(side, update["price_level"], units(update["new_quantity"]))

    async def handle(self, connection):
        self.connections += 1
        number = 1_000_000 * self.connections - 1
        joined = set()

        async def send(channel, event):
            nonlocal number
            number += 1
            if channel == "l2_data":
                product = event["product_id"]
                self.truth[product, number] = best(self.books[product])
                if product not in joined:
                    return
            message = {
                "channel": channel, "timestamp": "2026-08-09T21:05:48.228568804Z", "sequence_num": number,
                "events": [event],
            }  # fmt: skip
            await connection.send(json.dumps(message))

        async def listen():
            async for text in connection:
                request = json.loads(text)
                if request["channel"] != "level2":
                    continue
                if request["type"] == "unsubscribe":
                    joined.difference_update(request["product_ids"])
                    continue
                self.joined.append(request["product_ids"])
                joined.update(request["product_ids"])
                for product in request["product_ids"]:
                    updates = [
                        {
                            "side": name,
                            "event_time": "",
                            "price_level": f"{p / 1e8:.8f}",
                            "new_quantity": f"{q / 1e8:.8f}",
                        }
                        for name, side in zip(("bid", "offer"), self.books[product], strict=True)
                        for p, q in side.items()
                    ]
                    await send("l2_data", {"type": "snapshot", "product_id": product, "updates": updates})

        listening = asyncio.create_task(listen())
        try:
            await until(lambda: joined == set(self.books) or listening.done())
            while self.at < len(self.events):
                channel, event = self.events[self.at]
                self.at += 1
                if channel == "l2_data":
                    self.apply(event)
                if channel == "l2_data" and event["product_id"] not in joined:
                    continue  # its reader has left the channel: it takes no number
                await send(channel, event)
                await asyncio.sleep(self.pause)
            beat = 0
            while True:  # the end: heartbeats only
                beat += 1
                await send("heartbeats", {"heartbeat_counter": beat})
                await asyncio.sleep(0.005)
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
