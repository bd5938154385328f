"""The run log's list of trials: everything that was tried before a result was chosen, so that it counts.

One JSON object a line, only ever appended. A line is written in one piece under a lock and brought to the disk before
the lock is given up: what a kill cuts off is one last line without its end, which readers leave out with a warning and
the next writer begins a new line after. Several processes may write at once.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hft_gym.config import to_dict
from hft_gym.envs.config import EnvConfig
from hft_gym.errors import ConfigError
from hft_gym.report import Trials
from hft_gym.report.overfitting import sharpe_of

if TYPE_CHECKING:
    from train.tune import Tuning

__all__ = ["TrialLog", "behind", "learnings_of", "market_key", "trials_of"]

logger = logging.getLogger("hft_gym.train")

KINDS = ("tune", "train")
"""``tune``: a setting of a scripted strategy; ``train``: an agent as it stood at a validation."""


class TrialLog:
    """The trials in one file; nothing is written, and no folder made, before the first `add`.

    Args:
        path: of the file, ``runs/trials.jsonl`` by default in the training scripts.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._told: list[int] = []  # damaged lines that were warned of

    def add(
        self,
        kind: str,
        policy: str,
        market: str,
        parameters: Mapping[str, Any],
        seeds: Sequence[int] | np.ndarray[Any, Any],
        net_pnl: Sequence[float] | np.ndarray[Any, Any],
    ) -> None:
        """Append one trial.

        Args:
            kind: one of `KINDS`.
            policy: the baseline's or the run's name.
            market: `market_key` of the environment.
            parameters: what was tried.
            seeds: the episodes.
            net_pnl: of each, ticks·lots.

        Raises:
            ConfigError: an unknown kind, or another number of seeds than of values.
        """
        if kind not in KINDS:
            raise ConfigError(f"trial of kind {kind!r}; allowed are {', '.join(KINDS)}")
        if len(seeds) != len(net_pnl):
            raise ConfigError(f"a trial needs one P&L for each seed: got {len(seeds)} and {len(net_pnl)}")
        values = [float(v) if math.isfinite(v) else None for v in net_pnl]
        row = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "kind": kind,
            "policy": policy,
            "market": market,
            "parameters": dict(parameters),
            "seeds": [int(s) for s in seeds],
            "net_pnl": values,
        }
        self._append((json.dumps(row, default=str) + "\n").encode())

    def _append(self, line: bytes) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            with _locked(handle):
                size = os.fstat(handle).st_size
                if size and _last_byte(handle, size) != b"\n":
                    line = b"\n" + line  # what a killed writer left stays a line of its own
                while line:
                    line = line[os.write(handle, line) :]
                os.fsync(handle)
        finally:
            os.close(handle)

    def rows(self) -> list[dict[str, Any]]:
        """All whole trials, in the order of writing. Damaged lines, such as a kill has cut, are left out; since each
        may have been a trial, a warning names them.
        """
        found, damaged = [], []
        if self.path.exists():
            for number, line in enumerate(self.path.read_bytes().split(b"\n"), 1):
                row = _row(line)
                if row is not None:
                    found.append(row)
                elif line.strip():
                    damaged.append(number)
        if damaged and damaged != self._told:
            self._told = damaged
            where = ", ".join(map(str, damaged[:10])) + (", ..." if len(damaged) > 10 else "")
            logger.warning(
                "%s: line %s: no whole trial; %d left out, and not counted among what was tried",
                self.path, where, len(damaged),
            )  # fmt: skip
        return found

    def trials(self, kind: str, market: str, policy: str | None = None) -> Trials | None:
        """The distinct trials of a policy (None: of all) in a market; None if there are none.

        The same setting with the same figures on the same seeds is one trial. The validations of a run are a cluster
        of trials (`Trials.of_learnings`).
        """
        distinct: dict[str, dict[str, Any]] = {}
        for row in self.rows():
            if row["kind"] == kind and row["market"] == market and policy in (None, row["policy"]):
                same = [row[name] for name in ("policy", "seeds", "net_pnl")]
                distinct[json.dumps([row.get("parameters"), same], sort_keys=True)] = row
        tried = list(distinct.values())
        if kind == "train":
            return learnings_of([(row["policy"], row["seeds"], row["net_pnl"]) for row in tried])
        return trials_of([(row["seeds"], row["net_pnl"]) for row in tried])


def _row(line: bytes) -> dict[str, Any] | None:
    """The trial that a line holds; None if it is damaged."""
    try:
        row = json.loads(line)
    except (json.JSONDecodeError, UnicodeDecodeError):
        return None
    if not (isinstance(row, dict) and {"kind", "policy", "market", "seeds", "net_pnl"} <= set(row)):
        return None
    seeds, pnl = row["seeds"], row["net_pnl"]
    sound = isinstance(seeds, list) and isinstance(pnl, list) and len(seeds) == len(pnl)
    return row if sound and all(v is None or type(v) in (int, float) for v in pnl) else None


def trials_of(tried: Sequence[tuple[Sequence[int], Sequence[float | None]]]) -> Trials | None:
    """`Trials` from (seeds, net P&L) of each; the matrix of P&L only where all have the same seeds. None of none."""
    if not tried:
        return None
    rows = [_values(pnl) for _, pnl in tried]
    if all(list(seeds) == list(tried[0][0]) for seeds, _ in tried) and not np.isnan(rows).any():
        return Trials.of(np.stack(rows))
    return Trials(np.array([sharpe_of(row[~np.isnan(row)][None])[0] for row in rows]))


def learnings_of(tried: Sequence[tuple[str, Sequence[int], Sequence[float | None]]]) -> Trials | None:
    """`Trials` from (run, seeds, net P&L) of each validation of training runs; None of none.

    Episodes that some validation of a run has no P&L of are left out of that run.
    """
    if not tried:
        return None
    runs: dict[tuple[str, tuple[int, ...]], list[np.ndarray[Any, np.dtype[np.float64]]]] = {}
    for run, seeds, pnl in tried:
        runs.setdefault((run, tuple(seeds)), []).append(_values(pnl))
    found = Trials.of_learnings([rows[:, ~np.isnan(rows).any(axis=0)] for rows in map(np.stack, runs.values())])
    together = trials_of([(seeds, pnl) for _, seeds, pnl in tried])
    return found if together is None else replace(found, pnl=together.pnl)


def _values(pnl: Sequence[float | None]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([np.nan if value is None else value for value in pnl], np.float64)


def behind(
    chosen: Mapping[str, str],
    agents: Sequence[str],
    tunings: Sequence[Tuning],
    stored: Mapping[str, Mapping[str, Any]],
    config: EnvConfig,
    log: TrialLog | None,
) -> dict[str, Trials]:
    """What was tried before each policy was chosen: from the log, the call, or the record of stored parameters.

    Args:
        chosen: policies whose parameters somebody chose -> baseline.
        agents: names of the trained ones.
        tunings: those of this call.
        stored: policies with parameters that ship with the package -> what is stored.
        config: the environment.
        log: None: there is none.
    """
    market = market_key(config)
    found: dict[str, Trials | None] = {}
    for policy, baseline in chosen.items():
        mine = next((t for t in tunings if t.name == policy), None)
        if log is not None:
            found[policy] = log.trials("tune", market, baseline)
        elif mine is not None:
            found[policy] = trials_of([(range(mine.seeds), t.episodes) for t in mine.trials])
        if policy in stored:  # the log of who ships them is elsewhere; here it may hold some of the same trials
            shipped, logged = Trials(np.array(stored[policy]["sharpes"])), found.get(policy)
            found[policy] = logged if logged is not None and len(logged) > len(shipped) else shipped
    for agent in agents:
        found[agent] = None if log is None else log.trials("train", market)
    return {name: trials for name, trials in found.items() if trials is not None}


def market_key(config: EnvConfig) -> str:
    """Sixteen hex digits that name the market of an environment: flow, latencies, fees, clock, sizes and limits.

    What only concerns the learner (reward, encoding of actions, levels seen) or the hours of a replay is left out:
    trials on the training hours count for a result on the held-out ones.
    """
    plain = to_dict(config)
    for name in ("reward", "action", "levels"):
        plain.pop(name, None)
    replay = plain.pop("replay", None) or {}
    if plain.get("feed"):
        plain["feed"] = Path(plain["feed"]).name
        plain["replay"] = {k: replay.get(k) for k in ("symbol", "queue_model")}
    text = json.dumps(plain, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _last_byte(handle: int, size: int) -> bytes:
    os.lseek(handle, size - 1, os.SEEK_SET)
    return os.read(handle, 1)


@contextlib.contextmanager
def _locked(handle: int) -> Any:
    try:
        import fcntl
    except ModuleNotFoundError:  # Windows: no such lock there; appends of one write still do not mix
        yield
        return
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(handle, fcntl.LOCK_UN)
