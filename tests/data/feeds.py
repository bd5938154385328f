"""Recorded files made up for tests: a random exchange that keeps its own plain book, written as ITCH, DBN and captures.

The exchange here is plain Python (dicts and lists) and shares no code with the readers or the compiled book.
"""

import json
import struct
from pathlib import Path

import numpy as np

BID, ASK = 0, 1
START = 34_200 * 10**9


class Exchange:
    """A random walk of orders: what happened, as (time, event, ...), and the best quotes after each event."""

    def __init__(self, seed=0, n=400, mid=10_000):
        self.random = np.random.default_rng(seed)
        self.time = START
        self.mid = mid
        self.next_id = 1
        self.orders = {}  # id -> [side, price, quantity]
        self.queues = ({}, {})  # price -> ids
        self.events = []
        self.quotes = []
        for distance in range(1, 6):
            for side in (BID, ASK):
                self.add(side, mid + (distance if side == ASK else -distance))
        for _ in range(n):
            self.step()

    def tick(self):
        self.time += int(self.random.integers(0, 10**7))

    def best(self, side):
        return (min if side == ASK else max)(self.queues[side], default=None)

    def note(self, *event):
        self.events.append((self.time, *event))
        bid, ask = self.best(BID), self.best(ASK)
        size = [0 if p is None else sum(self.orders[i][2] for i in self.queues[s][p]) for s, p in ((0, bid), (1, ask))]
        self.quotes.append((bid or 0, size[0], ask or 0, size[1]))

    def rest(self, side, price, quantity):
        order = self.next_id
        self.next_id += 1
        self.orders[order] = [side, price, quantity]
        self.queues[side].setdefault(price, []).append(order)
        return order

    def drop(self, order):
        side, price, _ = self.orders.pop(order)
        self.queues[side][price].remove(order)
        if not self.queues[side][price]:
            del self.queues[side][price]

    def add(self, side, price):
        other = self.best(1 - side)
        if other is not None and (price >= other if side == BID else price <= other):
            price = other - 1 if side == BID else other + 1
        quantity = int(self.random.integers(1, 300))
        order = self.rest(side, price, quantity)
        self.note("add", order, side, price, quantity)

    def step(self):
        self.tick()
        u = self.random.random()
        side = int(self.random.integers(2))
        live = list(self.orders)
        if u < 0.45 or len(live) < 12:
            anchor = self.best(1 - side) or self.mid
            self.add(side, anchor + (1 if side == ASK else -1) * int(self.random.integers(1, 8)))
            return
        order = live[int(self.random.integers(len(live)))]
        resting = self.orders[order][2]
        if u < 0.6:
            self.drop(order)
            self.note("delete", order, resting)
        elif u < 0.7 and resting > 1:
            part = int(self.random.integers(1, resting))
            self.orders[order][2] -= part
            self.note("cancel", order, part)
        elif u < 0.8:
            side, price, _ = self.orders[order]
            self.drop(order)
            other = self.best(1 - side)
            away = int(self.random.integers(1, 8)) * (1 if side == ASK else -1)
            price = (other if other is not None else self.mid) + away
            quantity = int(self.random.integers(1, 300))
            new = self.rest(side, price, quantity)
            self.note("replace", order, new, side, price, quantity)
        elif u < 0.97:
            if self.best(side) is None:
                return
            order = self.queues[side][self.best(side)][0]
            _, price, resting = self.orders[order]
            part = int(self.random.integers(1, resting + 1))
            self.orders[order][2] -= part
            if part == resting:
                self.drop(order)
            self.note("execute", order, side, price, part)
        elif self.best(side) is not None:
            self.note("hidden", side, self.best(side), int(self.random.integers(1, 100)))


def frame(body: bytes) -> bytes:
    return struct.pack(">H", len(body)) + body


def head(code: bytes, locate: int, time: int) -> bytes:
    return code + struct.pack(">HH", locate, 0) + time.to_bytes(6, "big")


def itch_messages(exchange, locate=7, stock="TEST"):
    """Each event as a framed ITCH 5.0 message, after a directory message."""
    name = stock.encode().ljust(8)
    yield frame(head(b"R", locate, START - 9) + name + b"QN" + struct.pack(">I", 100) + b"NCZ PN 1N" + b"\0" * 4 + b"N")
    yield frame(head(b"H", locate, START - 8) + name + b"T " + b"    ")
    for time, kind, *e in exchange.events:
        at = time
        if kind == "add":
            order, side, price, quantity = e
            body = struct.pack(">QcI8sI", order, b"BS"[side : side + 1], quantity, name, 100 * price)
            yield frame(head(b"A", locate, at) + body)
        elif kind == "delete":
            yield frame(head(b"D", locate, at) + struct.pack(">Q", e[0]))
        elif kind == "cancel":
            yield frame(head(b"X", locate, at) + struct.pack(">QI", *e))
        elif kind == "replace":
            old, new, _, price, quantity = e
            yield frame(head(b"U", locate, at) + struct.pack(">QQII", old, new, quantity, 100 * price))
        elif kind == "execute":
            order, _, _, quantity = e
            yield frame(head(b"E", locate, at) + struct.pack(">QIQ", order, quantity, 1))
        else:
            side, price, quantity = e
            body = struct.pack(">QcI8sIQ", 0, b"BS"[side : side + 1], quantity, name, 100 * price, 2)
            yield frame(head(b"P", locate, at) + body)


def write_itch(path: Path, exchange, **options) -> Path:
    path.write_bytes(b"".join(itch_messages(exchange, **options)))
    return path


MIDNIGHT = 1_700_006_400 * 10**9  # 2023-11-15 00:00 UTC


def dbn_rows(exchange):
    """(ts_event, order id, price 1e-9, size, flags, action, side, sequence) of each MBO record."""
    for sequence, (time, kind, *e) in enumerate(exchange.events, 1):
        at = MIDNIGHT + time
        side_of = b"BA"

        def row(action, order, side, price, size, last, at=at, sequence=sequence, side_of=side_of):
            letter = b"N" if side is None else side_of[side : side + 1]
            return at, order, price * 10**7, size, 128 if last else 0, action, letter, sequence

        if kind == "add":
            order, side, price, quantity = e
            yield row(b"A", order, side, price, quantity, True)
        elif kind in ("delete", "cancel"):
            yield row(b"C", e[0], None, 1, e[1], True)
        elif kind == "replace":
            old, new, side, price, quantity = e
            # Databento keeps the id; a made-up exchange may change it: a cancel and an add in one event.
            yield row(b"C", old, None, 1, exchange_quantity(exchange, old, time), False)
            yield row(b"A", new, side, price, quantity, True)
        elif kind == "execute":
            order, side, price, quantity = e
            yield row(b"T", 0, 1 - side, price, quantity, False)
            yield row(b"F", order, side, price, quantity, False)
            yield row(b"C", order, side, price, quantity, True)
        else:
            side, price, quantity = e
            yield row(b"T", 0, 1 - side, price, quantity, True)


def exchange_quantity(exchange, order, time):
    """What was left of an order just before it was replaced."""
    left = 0
    for at, kind, *e in exchange.events:
        if kind == "add" and e[0] == order:
            left = e[3]
        elif kind == "replace" and e[1] == order:
            left = e[4]
        elif kind == "cancel" and e[0] == order:
            left -= e[1]
        elif kind == "execute" and e[0] == order:
            left -= e[3]
        elif kind == "replace" and e[0] == order:
            assert at == time
            return left
    raise AssertionError(order)


def dbn_bytes(exchange, symbol="TEST", dataset="XNAS.ITCH") -> bytes:
    import databento_dbn as dbn

    metadata = dbn.Metadata(
        dataset=dataset,
        start=MIDNIGHT,
        stype_in=dbn.SType.RAW_SYMBOL,
        stype_out=dbn.SType.INSTRUMENT_ID,
        schema=dbn.Schema.MBO,
        symbols=[symbol],
        partial=[],
        not_found=[],
        mappings=[],
        end=MIDNIGHT + 86_400 * 10**9,
        limit=None,
    )
    body = b"".join(
        struct.pack(
            "<BBHIQQqIBBccQiI", 14, 160, 2, 42, at, order, price, size, flags, 0, action, side, at + 100, 100, seq
        )
        for at, order, price, size, flags, action, side, seq in dbn_rows(exchange)
    )
    return bytes(metadata.encode()) + body


def dbn_csv(exchange, symbol="TEST") -> str:
    lines = ["ts_recv,ts_event,rtype,publisher_id,instrument_id,action,side,price,size,channel_id,order_id,flags,ts_in_delta,sequence,symbol"]  # noqa: E501
    for at, order, price, size, flags, action, side, seq in dbn_rows(exchange):
        lines.append(
            f"{at + 100},{at},160,2,42,{action.decode()},{side.decode()},{price / 1e9:.9f},{size},0,{order},{flags},"
            f"100,{seq},{symbol}"
        )
    return "\n".join(lines) + "\n"


def binance_lines(seed=0, n=120, futures=True):
    """A capture with two diffs before the snapshot, one of them older; truth: best bid and ask after each diff."""
    random = np.random.default_rng(seed)
    bids = {6_000 - i: int(random.integers(1, 50)) for i in range(30)}
    asks = {6_001 + i: int(random.integers(1, 50)) for i in range(30)}
    lines, truth = [], []
    update, time, trade = 1_000, 1_723_161_255_000_000_000, 1

    def text(book):
        return [[f"{p / 10:.2f}", f"{q / 1000:.3f}"] for p, q in book]

    def diff(first, changed):
        nonlocal time
        time += int(random.integers(10**6, 10**8))
        data = {"e": "depthUpdate", "E": time // 10**6, "T": time // 10**6, "s": "TESTUSDT", "U": first, "u": update}
        if futures:
            data["pu"] = first - 1
        data |= {"b": text(changed[0]), "a": text(changed[1])}
        return f"{time} " + json.dumps({"stream": "testusdt@depth@0ms", "data": data})

    def change():
        nonlocal update
        first = update + 1
        update += int(random.integers(1, 9))
        changed = ([], [])
        if random.random() < 0.15:  # the touch moves
            side = int(random.integers(2))
            book = (bids, asks)[side]
            best = (max if side == 0 else min)(book)
            if len(book) > 5:
                del book[best]
                changed[side].append((best, 0))
        for _ in range(int(random.integers(1, 5))):
            side = int(random.integers(2))
            near = (max(bids) if side == 0 else min(asks)) + int(random.integers(0, 12)) * (-1 if side == 0 else 1)
            quantity = int(random.integers(0, 50)) if len((bids, asks)[side]) > 8 else int(random.integers(1, 50))
            (bids, asks)[side][near] = quantity
            if quantity == 0:
                del (bids, asks)[side][near]
            changed[side].append((near, quantity))
        return first, changed

    update -= 1
    lines.append(diff(update - 4, ([], [(9_999, 1)])))  # older than the snapshot: dropped
    update += 1
    snapshot = {
        "lastUpdateId": update, "E": 1, "T": 1, "bids": text(sorted(bids.items())), "asks": text(sorted(asks.items())),
    }  # fmt: skip
    first, changed = change()
    held = diff(first, changed)
    lines.append(held)  # received before the snapshot, applied after it
    time += 10**6
    lines.append(f"{time} " + json.dumps(snapshot))
    for _ in range(n):
        if random.random() < 0.3:
            side = int(random.integers(2))
            price = max(bids) if side == 0 else min(asks)
            data = {
                "e": "trade", "E": time // 10**6, "T": time // 10**6, "s": "TESTUSDT", "t": trade,
                "p": f"{price / 10:.2f}", "q": "0.002", "X": "MARKET", "m": side == 0,
            }  # fmt: skip
            trade += 1
            lines.append(f"{time} " + json.dumps({"stream": "testusdt@trade", "data": data}))
        first, changed = change()
        lines.append(diff(first, changed))
        bid, ask = max(bids), min(asks)
        truth.append((bid, bids[bid], ask, asks[ask]))
        ticker = {
            "e": "bookTicker", "u": update, "s": "TESTUSDT", "b": f"{bid / 10:.2f}", "B": f"{bids[bid] / 1000:.3f}",
            "a": f"{ask / 10:.2f}", "A": f"{asks[ask] / 1000:.3f}", "T": time // 10**6, "E": time // 10**6,
        }  # fmt: skip
        lines.append(f"{time} " + json.dumps({"stream": "testusdt@bookTicker", "data": ticker}))
    return lines, truth
