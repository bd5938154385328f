"""The tables of docs/results, made anew: ``python -m train.results`` (``make results``).

Baselines are tuned where what is stored does not hold any more, every table is played, and the page is written from the
parts. What is done already is not done again, so that an interrupted run goes on where it was.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shlex
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import baselines
from baselines import tuned
from hft_gym.config import did_you_mean, to_dict
from hft_gym.envs.config import EnvConfig
from hft_gym.envs.vector import HFTMarketVectorEnv
from hft_gym.errors import ConfigError
from hft_gym.evaluation import evaluate, training_seeds
from hft_gym.files import replace_file
from hft_gym.market import MarketConfig
from hft_gym.report.markdown import comparison_markdown, grid_markdown, overview_markdown
from hft_gym.report.parts import Part, write_part
from hft_gym.report.store import Store
from train import compare, tune_baseline
from train.options import parse, script

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["TABLES", "ResultsOptions", "Table", "holds", "main", "page"]

MARKETS = ("reactive", "poisson", "large-tick", "small-tick")
"""The simulated markets that baselines are tuned for."""
FEW = ("do-nothing", "avellaneda-stoikov", "glft", "microprice-maker", "liquidity-taking")
"""Those that are played in other settings and markets."""
DAYS = {
    "amzn-2012-06-21": "AMZN_2012-06-21_34200000_45000000_message_5.csv",
    "goog-2012-06-21": "GOOG_2012-06-21_34200000_45000000_message_10.csv",
}
"""The recorded days: LOBSTER's free samples, cut at 12:30."""


@dataclass(frozen=True)
class Table:
    """One table: its name, its heading, the words of ``hft-gym compare`` that make it, and the file it needs."""

    name: str
    heading: str
    words: tuple[str, ...]
    day: str = ""


def _tables() -> tuple[Table, ...]:
    found = []
    for market in MARKETS:
        words = ("--policies", "all", "--env.market", market)
        what = "The default market" if market == tuned.DEFAULT else "The market"
        found.append(Table(market, f"{what} `{market}`", words))
    words = ("--policies", *FEW, "--episodes", "64", "--env.market", MARKETS[0])
    words = (*words, "--sensitivity", "latency", "fees", "fill", "--matrix", *MARKETS)
    found.append(Table("settings", f"Other settings of `{MARKETS[0]}`, and other markets", words))
    for market in MARKETS[:2]:
        words = ("--policies", "all", "--env.task", "execution", "--env.market", market)
        found.append(Table(f"execution-{market}", f"Execution in `{market}`", words))
    for name, file in DAYS.items():
        words = (
            "--policies", "all", "--tune", "8", "--tune-episodes", "16", "--consecutive", "--env.feed", file,
            "--env.replay.split", "held-out", "--env.episode-steps", "3000", "--env.order-size", "100",
            "--env.max-position", "500",
        )  # fmt: skip
        symbol = name.split("-")[0].upper()
        found.append(Table(name, f"A real day: {symbol}, 21 June 2012, 11:30 to 12:30", words, file))
    return tuple(found)


TABLES = _tables()


@dataclass(frozen=True)
class ResultsOptions:
    """Make the tables of docs/results anew: tune, play, write. What is done already is kept.

    Recorded days need LOBSTER's free samples; without --data their tables stay as they are.
    """

    episodes: int = 200
    """Held-out episodes of each policy; 64 in other settings and markets, of a recorded day as many as it has."""
    out: Path = Path("docs/results")
    """Folder of the page and of its parts."""
    pages: tuple[Path, ...] = (Path("README.md"),)
    """Pages with tables from there, which are brought up to date."""
    data: Path | None = None
    """Folder of the LOBSTER files."""
    only: tuple[str, ...] = ()
    """Tables to make, by name; default: all."""
    tune: bool = True
    """Whether to tune what is not tuned, or was tuned for another flow."""
    threads: int = 1
    """Threads of the compiled step; results do not depend on it."""

    def __post_init__(self) -> None:
        names = [table.name for table in TABLES]
        for name in self.only:
            if name not in names:
                raise ConfigError(f"only: unknown table {name!r}{did_you_mean(name, names)}")


def holds(record: Mapping[str, Any], config: EnvConfig) -> bool:
    """Whether what a tuning stored is still true: its best setting earns on its training seeds what is written."""
    name, seeds = record["baseline"], training_seeds(record["seeds"]["count"])
    strategy = baselines.make(name, HFTMarketVectorEnv(1, config), **record["parameters"])
    played = evaluate(strategy, config, seeds, log_capacity=0)
    return bool(np.isclose(played.net_pnl.mean(), record["net_pnl"]["value"], rtol=0, atol=1e-9))


def tune_missing(console: Console, threads: int) -> None:
    """Tune every baseline of the simulated markets whose stored parameters are missing or do not hold."""
    for task, markets in (("market-making", MARKETS), ("execution", MARKETS[:2])):
        for market in markets:
            config = EnvConfig(market=MarketConfig.named(market), task=task)  # type: ignore[arg-type]
            scale = HFTMarketVectorEnv(1, config)
            for name in baselines.names(scale):
                if not baselines.get(name).search_space(scale):
                    continue
                found = tuned.record(name, config)
                if found is not None and holds(found, config):
                    continue
                words = [name, "--env.market", market, *(() if task == "market-making" else ("--env.task", task))]
                console.print(f"tuning {name} for {market}", highlight=False)
                tune_baseline.main([*words, "--threads", str(threads)])


def fingerprint(table: Table, options: compare.CompareOptions) -> str:
    """Sixteen hex digits of all that a table's figures follow from, the code aside."""
    env = options.env
    flow = None if env.feed is not None else to_dict(env.market.order_flow)
    chosen = {}
    for market in (env, *(EnvConfig(market=MarketConfig.named(name)) for name in options.matrix)):
        for name in baselines.names() if "all" in options.policies else options.policies:
            record = tuned.record(name, market)
            chosen[f"{tuned.preset_of(market)} {name}"] = None if record is None else record["parameters"]
    text = json.dumps([table.words, options.episodes, flow, to_dict(env), chosen], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def make(table: Table, options: ResultsOptions, store: Path, console: Console) -> None:
    """Play a table, unless it is there already, and put its part in the place of the one before."""
    words = list(table.words) if "--episodes" in table.words else [*table.words, "--episodes", str(options.episodes)]
    before = [part for part in Store(store).parts if _of(part).get("table") == table.name]
    trials = Path("runs/trials.jsonl").resolve()
    # A recorded day goes by its file's name alone: where it lies is nobody else's business.
    with contextlib.chdir(options.data) if table.day and options.data else contextlib.nullcontext():
        asked = replace(parse(compare.CompareOptions, words, "train.compare"), trials=trials, threads=options.threads)
        mark = fingerprint(table, asked)
        if any(_of(part).get("fingerprint") == mark for part in before):
            console.print(f"{table.name}: there already", highlight=False)
            return
        began = time.monotonic()
        meta = {"results": {"table": table.name, "fingerprint": mark}}
        comparison = compare.play(asked, f"hft-gym compare {shlex.join(words)}", console, meta)
    write_part(comparison, store, tables=("metrics",))
    for part in before:
        shutil.rmtree(part.folder)
    console.print(f"{table.name}: {time.monotonic() - began:.0f} s, best {comparison.best}", highlight=False)


def _of(part: Part) -> Mapping[str, Any]:
    found: Mapping[str, Any] = part.record["meta"].get("results", {})
    return found


MARKED = re.compile(r"<!-- table (\S+), run \S+ -->\n(?:\|.*\n)+")
"""A table of a page, and where it is from."""


def refresh(text: str, parts: Sequence[Part]) -> str:
    """A page with the tables that it marks with ``<!-- table NAME, run ID -->`` as the parts have them now."""
    by_name = {_of(part).get("table"): part for part in parts}

    def now(found: re.Match[str]) -> str:
        part = by_name.get(found[1])
        return found[0] if part is None else f"{_mark(part)}\n{comparison_markdown(part.record)}\n"

    return MARKED.sub(now, text)


def _mark(part: Part) -> str:
    return f"<!-- table {_of(part)['table']}, run {part.id} -->"


NOTES = re.compile(r"<!-- notes -->\n.*?<!-- end of notes -->\n", re.S)
"""What is written by hand on the page, and kept."""
HEAD = """# Baselines, everywhere

Made by `make results` from the parts beside this page ([reports.md](../reports.md)); its notes are written by hand. Net
P&L in ticks·lots an episode with 95 % intervals, on held-out seeds, every baseline with the parameters tuned for the
market on training seeds ([baselines.md](../baselines.md)); on the recorded days with those tuned on the two hours
before.
"""


def page(parts: Sequence[Part], notes: str = "") -> str:
    """The page of all tables, from their parts."""
    by_name = {_of(part).get("table"): part for part in parts}
    there = [(table, by_name[table.name]) for table in TABLES if table.name in by_name]
    markets = {part.market: part.record for table, part in there if table.name in MARKETS}
    lines = [HEAD, notes or "<!-- notes -->\n<!-- end of notes -->\n"]
    if len(markets) > 1:
        lines += ["## Side by side\n", overview_markdown(markets), ""]
    for table, part in there:
        record = part.record
        lines += [f"## {table.heading}\n", "```console", record["meta"]["command"], "```\n"]
        lines += [f"{record['episodes']} episodes.\n", _mark(part), comparison_markdown(record), ""]
        flags = [f"- {policy['name']}: {flag['text']}" for policy in record["policies"] for flag in policy["flags"]]
        lines += [*flags, ""] if flags else []
        for grid in record.get("grids", ()):
            text = grid["text"]
            lines += [f"### {grid['heading']}\n", f"{text[0].upper()}{text[1:]}.\n", grid_markdown(grid), ""]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry of ``python -m train.results``."""
    from rich.console import Console

    options = parse(ResultsOptions, list(sys.argv[1:] if arguments is None else arguments), "train.results")
    console = Console()
    store = (options.out / "parts").resolve()
    if options.tune:
        tune_missing(console, options.threads)
    for table in TABLES:
        if options.only and table.name not in options.only:
            continue
        if table.day and (options.data is None or not (options.data / table.day).exists()):
            console.print(f"{table.name}: left as it is; --data must hold {table.day}", highlight=False)
            continue
        make(table, options, store, console)
    target = options.out / "baselines.md"
    kept = NOTES.search(target.read_text()) if target.exists() else None
    replace_file(target, page(Store(store).parts, kept[0] if kept else ""))
    for path in options.pages:
        text = path.read_text()
        if (now := refresh(text, Store(store).parts)) != text:
            replace_file(path, now)
    console.print(f"written to {', '.join(map(str, (target, *options.pages)))}", highlight=False)


if __name__ == "__main__":
    script(main, "train.results")
