"""Recorded markets: readers of data files, and the feeds that replay them."""

from hft_gym.data.lobster import LOBSTER_DTYPE, LobsterDay, LobsterKind, companion_path, read_lobster
from hft_gym.data.ops import CHECKPOINT_DTYPE, REPLAY_DTYPE, ReplayOp
from hft_gym.data.replay import KernelArrays, ReplayFeed, ReplayStats
from hft_gym.data.window import ReplayWindow, clock_text, parse_clock

__all__ = [
    "CHECKPOINT_DTYPE",
    "LOBSTER_DTYPE",
    "REPLAY_DTYPE",
    "KernelArrays",
    "LobsterDay",
    "LobsterKind",
    "ReplayFeed",
    "ReplayOp",
    "ReplayStats",
    "ReplayWindow",
    "clock_text",
    "companion_path",
    "parse_clock",
    "read_lobster",
]
