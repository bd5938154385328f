"""Tune scripted baselines on training seeds and store what was found::

    python -m train.tune_baseline glft --env.market reactive

Comparisons use the stored parameters. In Python: `train.tune.tune`.
"""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tyro.conf import Positional

import baselines
from baselines.tuned import FOLDER, preset_of
from hft_gym import __version__
from hft_gym.config import to_dict
from hft_gym.envs.config import EnvConfig
from hft_gym.envs.vector import HFTMarketVectorEnv
from hft_gym.errors import ConfigError
from hft_gym.evaluation import training_seeds
from hft_gym.files import replace_file
from hft_gym.market import MarketConfig
from hft_gym.report.overfitting import sharpe_of
from train.options import parse, program, script
from train.progress import PolicyBars
from train.run_folder import check_file, check_folder
from train.trials import TrialLog
from train.tune import Tuning, tune

__all__ = ["TuneOptions", "main", "store"]

ALL = "all"


@dataclass(frozen=True)
class TuneOptions:
    """Search good parameters of scripted baselines, each with the same budget, on training seeds.

    The best setting of each is stored for the market preset, and used by every comparison from then on; every trial
    is appended to a log, so that what was tried can be counted. Equal options give equal results.
    """

    names: Positional[tuple[str, ...]] = ()
    """Baselines (hft-gym baselines lists them), or all."""
    trials: int = 24
    """Settings to try for each: its defaults, then what the search proposes. Fewer than 24 need --out."""
    episodes: int = 64
    """Training episodes that each setting plays. Fewer than 64 need --out."""
    seed: int = 0
    """Of the search."""
    out: Path | None = None
    """Folder for NAME.json; default: the shipped baselines/tuned/PRESET, in the preset's own settings alone."""
    log: Path = Path("runs/trials.jsonl")
    """List of all trials, that those made here are added to."""
    num_envs: int = 64
    """Episodes played side by side; results do not depend on it."""
    threads: int = 1
    """Threads of the compiled step; results do not depend on it."""
    env: EnvConfig = field(default_factory=EnvConfig)
    """The environment."""


def _check_shipped(options: TuneOptions, names: Sequence[str]) -> None:
    """Refuse to replace shipped parameters, which everybody's comparisons take, by those of another market or of less.

    Raises:
        ConfigError: the market is no preset, its settings or the task are not those that the names are tuned with, or
            the budget is below the shipped one.
    """
    env, usual = options.env, TuneOptions()
    if preset_of(env) is None:
        raise ConfigError("out: parameters are stored by market preset; for a replay or a flow of your own, give --out")
    why = [
        f"{name} is {given}, and {least} were spent on those"
        for name, given, least in (
            ("trials", options.trials, usual.trials), ("episodes", options.episodes, usual.episodes)
        )
        if given < least
    ]  # fmt: skip
    market = MarketConfig(flow=env.market.flow)
    for task in dict.fromkeys(baselines.get(name).tasks[0] for name in names):
        for ours, theirs, where in ((env, EnvConfig(market=market, task=task), ""), (env.market, market, "market.")):
            then = to_dict(theirs)
            changed = [n for n, v in to_dict(ours).items() if v != then[n] and n != "market"]
            why += [f"{where}{name} is not as those were tuned" for name in changed]
    if why:
        raise ConfigError(
            f"out: without --out this would replace the parameters that ship with {preset_of(env)}; "
            f"{'; '.join(dict.fromkeys(why))}: give --out FOLDER"
        )


def store(tuning: Tuning, config: EnvConfig, path: Path, command: str) -> dict[str, Any]:
    """Write a tuning's best parameters and how they were found; returns what was written."""
    found = {
        "baseline": tuning.name,
        "market": preset_of(config),
        "parameters": dict(tuning.best.parameters),
        "net_pnl": tuning.best.net_pnl._asdict(),
        "default_net_pnl": tuning.trials[0].net_pnl._asdict(),
        "seeds": {"purpose": "training", "first": 0, "count": tuning.seeds},
        "trials": len(tuning.trials),
        "sampler": tuning.sampler,
        "sharpes": sharpe_of(np.array([t.episodes for t in tuning.trials])).round(6).tolist(),
        "command": command,
        "version": __version__,
        "date": time.strftime("%Y-%m-%d"),
        "config": to_dict(config),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, json.dumps(found, indent=1) + "\n")
    return found


def _that_matter(words: Sequence[str]) -> list[str]:
    """The words that the result depends on: not where it is written, nor how fast."""
    kept = list(words)
    for option in ("--log", "--out", "--threads", "--num-envs"):
        while option in kept:
            at = kept.index(option)
            del kept[at : at + 2]
        kept = [word for word in kept if not word.startswith(f"{option}=")]
    return kept


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry of ``python -m train.tune_baseline`` and ``hft-gym train tune-baseline``."""
    from rich.console import Console

    words = list(sys.argv[1:] if arguments is None else arguments)
    options = parse(TuneOptions, words, "train.tune_baseline")
    console = Console()
    if options.trials < 1:
        raise ConfigError(f"trials: must be at least 1, got {options.trials}")
    scale = HFTMarketVectorEnv(1, options.env)
    searched = [n for n in baselines.names(scale) if baselines.get(n).search_space(scale)]
    names = list(dict.fromkeys(n for word in options.names for n in (searched if word == ALL else [word])))
    if not names:
        raise ConfigError(f"names: give baselines to tune, or {ALL}; they are {', '.join(searched)}")
    for name in names:
        if not baselines.get(name).search_space(scale):
            raise ConfigError(f"{name} has no parameters to tune; those that have are {', '.join(searched)}")
    if options.out is None:
        _check_shipped(options, names)
    folder = options.out or FOLDER / str(preset_of(options.env))
    check_folder("out", folder)
    check_file("log", options.log)
    log = TrialLog(options.log)
    rest = [word for word in words if word not in ("--", *options.names)]
    for name in names:
        about = _that_matter(rest)
        command = shlex.join([*program("train.tune_baseline").split(), name, *about])
        with PolicyBars(console) as progress:
            found = tune(
                name, options.trials, options.env, seeds=training_seeds(options.episodes), seed=options.seed,
                num_envs=options.num_envs, threads=options.threads, progress=progress.task(name), log=log,
            )  # fmt: skip
        path = folder / f"{name}.json"
        stored = store(found, options.env, path, command)
        best, default = stored["net_pnl"], stored["default_net_pnl"]
        chosen = ", ".join(f"{k}={v:.4g}" for k, v in stored["parameters"].items()) or "the defaults"
        console.print(
            f"{name}: {best['value']:+.2f} [{best['low']:+.2f}, {best['high']:+.2f}] on {options.episodes} training "
            f"seeds, best of {options.trials} (defaults {default['value']:+.2f}): {chosen}",
            highlight=False,
        )
        console.print(f"  written to {path}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    script(main, "train.tune_baseline")
