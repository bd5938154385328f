"""``hft-gym calibrate``: a market from real data."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.table import Table

from hft_gym.calibration.models import MODELS, Calibration, calibrate
from hft_gym.config import did_you_mean
from hft_gym.errors import ConfigError
from hft_gym.extras import optional
from hft_gym.files import replace_file
from hft_gym.realism.scorecard import scorecard
from hft_gym.realism.tapes import read_tape, split
from hft_gym.report.table import number
from hft_gym.terminal import command_line, make_console, parse_options

__all__ = ["main"]


@dataclass(frozen=True)
class Args:
    """Fit an order-flow model to real data and write the market as a TOML file.

    Models: cst (Cont, Stoikov and Talreja: rates by distance, orders of one size), queue-reactive (Huang, Lehalle and
    Rosenbaum: rates by queue size; for large-tick stocks), hawkes (rates by distance, sizes as they are, six kinds of
    events that excite each other), spread-hawkes (the same, with places, rates and cancellations that depend on the
    spread, brought near the data by a search over simulations: up to three minutes). The TOML file is a market
    wherever a preset's name is one: hft-gym realism --market FILE, hft-gym train ppo --env.market FILE, hft-gym
    compare --env.market FILE, gymnasium.make("HFTMarket-v0", market=FILE).
    """

    data: tyro.conf.Positional[Path]
    """LOBSTER message file (its orderbook file beside it, or 50 levels of messages), or another of docs/data.md."""
    model: str = "hawkes"
    """cst, queue-reactive, hawkes or spread-hawkes."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("market.toml")
    """The file to write: .toml, or .py for a preset as in hft_gym/flow/presets."""
    part: int | None = None
    """Fit only to this hour of the data, from 0 (halves if there are less than two hours); default: all of it."""
    lot: int | None = None
    """Shares in one lot of the market (hawkes, spread-hawkes; default: chosen by the data)."""
    metaorder_share: float = 0.0
    """Share of the market orders that comes from traders who split large ones (hawkes)."""
    tick_size: float | None = None
    """Tick of the data, in its currency (default: 0.01 of LOBSTER, else found from the prices)."""
    symbol: str | None = None
    """The instrument, of a file with several."""
    report: Path | None = None
    """Folder for pictures of model against data: calibration.html, scorecard.html and .json (extra plot)."""
    seed: int = 0
    """Seed of the report's simulated markets."""


def main(argv: list[str] | None = None) -> int:
    """Calibrate, print the estimates and the residual check, write the market."""
    args: Args = parse_options(Args, argv)
    if args.model not in MODELS:
        raise ConfigError(f"unknown model {args.model!r}{did_you_mean(args.model, list(MODELS))}")
    if args.report is not None:
        optional("plotly")  # missed before the work, not after
    console = make_console(140)
    command = command_line("calibrate", argv)
    with console.status("reading the data") as status:
        data = read_tape(args.data, args.tick_size, symbol=args.symbol)
        tape = data
        if args.part is not None:
            parts = split(data, max(2, int(data.seconds // 3_600)))
            if not 0 <= args.part < len(parts):
                raise ConfigError(f"part is {args.part}; the data has the parts 0 to {len(parts) - 1}")
            tape = parts[args.part]
        status.update(f"fitting {args.model} to {len(tape):,} records")
        found = calibrate(tape, args.model, lot=args.lot, metaorder_share=args.metaorder_share, say=status.update)
    console.print(_parameters(found))
    console.print(_residuals(found))
    title = f"{tape.symbol or args.data.stem}: {args.model} fitted to {tape.seconds / 60:.0f} minutes of its orders."
    replace_file(args.out, found.to_module(title, command) if args.out.suffix == ".py" else found.to_toml(command))
    written = [args.out]
    if args.report is not None:
        from hft_gym.calibration.page import html
        from hft_gym.realism.page import html as scorecard_html

        with console.status("simulating") as status:
            card = scorecard(
                found.market,
                data,
                part=args.part or 0,
                lot=found.lot,
                impact=False,
                seed=args.seed,
                say=status.update,
            )
        card.meta["command"] = command
        pages = {
            "calibration.html": html(found, command),
            "scorecard.html": scorecard_html(card),
            "scorecard.json": card.to_json(),
        }
        for name, text in pages.items():
            replace_file(args.report / name, text)
            written.append(args.report / name)
        for sentence in card.verdicts():
            console.print(sentence)
    console.print(f"written: {', '.join(str(p) for p in written)}", markup=False)
    if args.out.suffix == ".py":
        console.print("a preset goes into hft_gym/flow/presets; its name is the file's, with hyphens")
        return 0
    again = shlex.join(["hft-gym", "realism", "--market", str(args.out), "--against", str(args.data)])
    console.print(f"compare it with:  {again} --lot {found.lot}", markup=False)
    return 0


def _parameters(found: Calibration) -> Table:
    """The estimates; of long families the first twelve."""
    table = Table(title=f"Model {found.model}, one lot is {found.lot} shares", title_justify="left")
    for column in ("parameter", "estimate", "standard error", "unit"):
        table.add_column(column, justify="left" if column in ("parameter", "unit") else "right")
    shown: dict[str, int] = {}
    for p in found.parameters:
        family = p.name.split("[")[0].split(" ")[0]
        shown[family] = shown.get(family, 0) + 1
        if shown[family] <= 12:
            table.add_row(p.name.replace("[", "\\["), number(p.value), number(p.error), p.unit)
    hidden = sum(max(n - 12, 0) for n in shown.values())
    if hidden:
        table.add_row(f"... and {hidden} more (--report shows all)", "", "", "")
    return table


def _residuals(found: Calibration) -> Table:
    table = Table(title="Time-rescaled intervals: exponential of mean 1 if the model is right", title_justify="left")
    for column in ("events", "KS distance", "p", "mean", "variance", "KS distance at a constant rate"):
        table.add_column(column, justify="left" if column == "events" else "right")
    plain = list(found.poisson.values())
    for i, (name, r) in enumerate(found.residuals.items()):
        other = plain[i].distance if len(plain) == len(found.residuals) else float("nan")
        cells = (r.distance, r.p, r.mean, r.variance, other)
        table.add_row(name, *(number(v) for v in cells))
    return table
