"""``hft-gym realism``: a market's scorecard against real data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib import util
from pathlib import Path

from rich.console import Console

from hft_gym.config import build, to_dict
from hft_gym.errors import ConfigError
from hft_gym.extras import missing
from hft_gym.files import replace_file
from hft_gym.flow.presets import PRESETS, preset_lot
from hft_gym.market.config import MarketConfig
from hft_gym.realism.checks import D_checks
from hft_gym.realism.markdown import markdown
from hft_gym.realism.scorecard import scorecard
from hft_gym.realism.tapes import read_tape
from hft_gym.report.table import number
from hft_gym.report.writers import json_text
from hft_gym.terminal import command_line, make_console, parse_options

__all__ = ["main"]


@dataclass(frozen=True)
class Args:
    """Compare a simulated market with real data: stylised facts, LOB-Bench scores, a picture for each fact.

    Two yardsticks stand in the same tables: plain Cont–Stoikov–Talreja flow fitted to the same hour, and another hour
    of the real data. With --checks the market alone is taken through the realism checks instead.
    """

    market: str = "default"
    """A flow preset's name, or a TOML file with a market's settings."""
    against: Path | None = None
    """LOBSTER message file (its orderbook file beside it, or 50 levels of messages), or another of docs/data.md."""
    part: int = 0
    """Which hour of the data is the reference, from 0 (halves if there are less than two hours)."""
    other: int | None = None
    """Which one is the yardstick (default: the next)."""
    lot: int | None = None
    """Shares in one lot of the simulated market (default: the preset's, or 1)."""
    fitted: int | None = None
    """The hour that the CST yardstick is fitted to (default: the reference itself)."""
    tick_size: float | None = None
    """Tick of the data, in its currency (default: 0.01 of LOBSTER, else found from the prices)."""
    symbol: str | None = None
    """The instrument, of a file with several."""
    seconds: float | None = None
    """Length of the simulated tapes (default: that of the reference)."""
    seed: int = 0
    """Seed of the simulated markets."""
    no_impact: bool = False
    """Leave the experiment on metaorders out."""
    checks: bool = False
    """Only the realism checks of the market, without data: ranges found in real markets; about a minute."""
    out: Path | None = None
    """Folder for scorecard.json, scorecard.md and scorecard.html (which needs the extra plot), default: realism; with
    --checks for checks.json, default: nowhere."""


def main(argv: list[str] | None = None) -> int:
    """Make the scorecard; the exit status is 1 if --checks finds one missed."""
    args: Args = parse_options(Args, argv)
    console = make_console(160)
    market = build(MarketConfig, args.market)
    command = command_line("realism", argv)
    if args.checks:
        return _checks(args, market, console, command)
    if args.against is None:
        raise ConfigError("--against is missing: the recorded file to compare with (or --checks for none)")
    with console.status("reading the data") as status:
        data = read_tape(args.against, args.tick_size, symbol=args.symbol)
        card = scorecard(
            market,
            data,
            part=args.part,
            other=args.other,
            lot=lot_of(args.market) if args.lot is None else args.lot,
            fitted=args.fitted,
            seconds=args.seconds,
            impact=not args.no_impact,
            seed=args.seed,
            say=status.update,
        )
    card.meta["command"] = command
    console.print(card.facts_table())
    console.print(card.scores_table())
    for sentence in card.verdicts():
        console.print(sentence)
    out = args.out or Path("realism")
    replace_file(out / "scorecard.json", card.to_json())
    replace_file(out / "scorecard.md", markdown(card, args.market))
    written = [out / "scorecard.json", out / "scorecard.md"]
    if util.find_spec("plotly") is not None:
        from hft_gym.realism.page import html

        replace_file(out / "scorecard.html", html(card))
        written.append(out / "scorecard.html")
    else:
        console.print(f"no pictures: {missing('plotly')}", markup=False)
    console.print(f"written: {', '.join(str(p) for p in written)}", markup=False)
    return 0


def lot_of(name: str) -> int:
    """Shares of one lot of the preset called *name*; 1 of a TOML file."""
    return preset_lot(name) if name in PRESETS else 1


def _checks(args: Args, market: MarketConfig, console: Console, command: str) -> int:
    from rich.table import Table

    with console.status("simulating"):
        found = D_checks(market, seed=args.seed)
    table = Table(title=f"Realism checks of {args.market}", title_justify="left")
    for column in ("check", "what", "value", "range", ""):
        table.add_column(column, justify="right" if column in ("value", "range") else "left")
    for check in found:
        text = f"{number(check.low)} to {number(check.high)}"
        mark = "[green]passed[/green]" if check.passed else "[red]missed[/red]"
        table.add_row(check.name, check.what, number(check.value), text, mark)
    console.print(table)
    if args.out is not None:
        path = args.out / "checks.json"
        checks = [{**asdict(check), "passed": check.passed} for check in found]
        replace_file(path, json_text({"command": command, "market": to_dict(market), "checks": checks}))
        console.print(f"written: {path}", markup=False)
    return int(not all(check.passed for check in found))
