"""``/metrics``: the server's figures in the text format of Prometheus."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hft_gym.dashboard.app import Server

__all__ = ["exposition"]


def exposition(server: Server) -> str:
    """The figures, one family after the other."""
    rooms, counts = list(server.rooms.rooms.values()), server.counts
    given_up = sum(room.clock.given_up_ns for room in rooms) / 1e9
    rows = [
        ("clients", "gauge", "connections now", len(server.clients)),
        ("sessions", "gauge", "sessions now", len(rooms)),
        ("sessions_running", "gauge", "sessions whose market's time passes", sum(r.running for r in rooms)),
        ("waiting_texts", "gauge", "texts that wait to be sent", sum(c.waiting for c in server.clients)),
        ("uptime_seconds", "gauge", "since the start", time.time() - server.started),
        ("connections_total", "counter", "connections accepted", counts.connections),
        ("connections_refused_total", "counter", "connections refused: too many clients", counts.refused),
        ("messages_received_total", "counter", "messages of clients", counts.received),
        ("messages_rejected_total", "counter", "messages that were refused", counts.rejected),
        ("messages_sent_total", "counter", "texts sent", counts.sent),
        ("sent_bytes_total", "counter", "characters sent", counts.bytes_sent),
        ("pictures_replaced_total", "counter", "pictures replaced by newer ones before they went out", counts.replaced),
        ("failures_total", "counter", "errors of the server itself", counts.failures),
        ("session_ticks_total", "counter", "ticks of the sessions here", sum(r.ticks for r in rooms)),
        ("session_busy_seconds_total", "counter", "time spent in them", sum(r.busy_s for r in rooms)),
        ("session_behind_seconds_total", "counter", "market time given up", given_up),
    ]
    lines: list[str] = []
    for name, kind, about, value in rows:
        full = f"hft_gym_dashboard_{name}"
        lines += [f"# HELP {full} {about}", f"# TYPE {full} {kind}", f"{full} {value:.12g}"]
    return "\n".join(lines) + "\n"
