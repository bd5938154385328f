"""The whole path in under two minutes: what ``make demo`` and ``hft-gym demo`` run.

Scripted strategies trade one mock market, a PPO agent is trained for a short while and joins them, then all
play the same held-out episodes, and one table compares them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hft_gym.errors import ConfigError
from hft_gym.evaluation import Policy, held_out_seeds

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = ["DemoOptions", "main", "watch"]


@dataclass(frozen=True)
class DemoOptions:
    """Watch scripted strategies and a freshly trained PPO agent trade one market; ends with a table.

    Takes under two minutes on two cores; the first run also compiles the market, once.
    """

    seconds: float = 45.0
    """Of training. Ten minutes (hft-gym train ppo) make a better agent."""
    episodes: int = 200
    """Held-out episodes that everybody plays for the table."""
    show: float = 5.0
    """Seconds that each live view lasts on a terminal; 0: as fast as it goes."""
    seed: int = 1
    """Of the training."""
    runs: Path = Path("runs")
    """Folder that the run's folder is made in."""

    def __post_init__(self) -> None:
        for name, least in (("seconds", 0.1), ("episodes", 1), ("show", 0.0)):
            if not getattr(self, name) >= least:
                raise ConfigError(f"{name}: must be at least {least}, got {getattr(self, name)}")


BARS = " ▁▂▃▄▅▆▇█"
RESAMPLES = 2000  # of the bootstrap: the table must not take longer than the training
WIDTH = 40  # characters of a P&L curve, at most


def watch(
    policies: Mapping[str, Policy], seed: int, console: Console, seconds: float, title: str
) -> dict[str, float]:
    """Let policies trade the same market, each in its own copy of it, and show their P&L as it goes.

    On what is no terminal only the last state is shown.

    Args:
        policies: by name; bound to the default market here where they can be.
        seed: of the market.
        console: where.
        seconds: how long it is to take.
        title: of the table.

    Returns:
        Net P&L by name, ticks·lots.
    """
    from rich.live import Live

    from hft_gym.envs.vector import HFTMarketVectorEnv

    env = HFTMarketVectorEnv(len(policies))
    steps = env.config.episode_steps
    for policy in policies.values():
        if hasattr(policy, "bind"):
            policy.bind(env)
    observations, _ = env.reset(seed=[seed] * len(policies))
    volume = [env.observation_schema.index(c) for c in ("bought", "sold")]
    states: list[Any] = [None] * len(policies)
    curves = np.zeros((steps + 1, len(policies)))
    lots = np.zeros(len(policies))
    pause = seconds / steps if console.is_terminal else 0.0
    with Live(console=console, auto_refresh=False, transient=True) as live:
        for step in range(1, steps + 1):
            actions = []
            for i, policy in enumerate(policies.values()):
                action, states[i] = policy.predict(
                    observations[i : i + 1], states[i], np.array([step == 1]), True
                )
                actions.append(action)
            observations, _, _, _, infos = env.step(np.concatenate(actions))
            curves[step] = infos["net_pnl"]
            lots += observations[:, volume].sum(axis=1)
            if step % 20 == 0 and console.is_terminal:
                live.update(_view(title, list(policies), curves[: step + 1], infos, lots, console), refresh=True)
                time.sleep(20 * pause)
    console.print(_view(title, list(policies), curves, infos, lots, console))
    return dict(zip(policies, curves[-1].tolist(), strict=True))


def _view(
    title: str,
    names: Sequence[str],
    curves: np.ndarray[Any, Any],
    infos: Mapping[str, Any],
    lots: Any,
    console: Console,
) -> Table:
    from rich.table import Table

    from hft_gym.report.table import natural_width

    # One policy far off would make straight lines of all the others: it is cut off at their scale.
    spans = np.ptp(curves, axis=0)
    usual = curves[:, spans <= 5.0 * np.median(spans[spans > 0])] if spans.any() else curves
    low, high = float(usual.min()), float(usual.max())

    def table(width: int) -> Table:
        head = f"{title}   {infos['time'][0]:5.1f} s   mid {infos['mid'][0]:.1f}"
        made = Table(title=head, title_justify="left")
        made.add_column("policy", no_wrap=True)
        for column in ("P&L", "inventory", "lots"):
            made.add_column(column, justify="right", no_wrap=True)
        made.add_column("P&L so far", no_wrap=True)
        for i, name in enumerate(names):
            figures = f"{curves[-1, i]:+.1f}", f"{int(infos['inventory'][i]):+d}", f"{lots[i]:.0f}"
            made.add_row(name, *figures, _curve(curves[:, i], low, high, width))
        return made

    beyond = natural_width(table(WIDTH), console) - console.width
    return table(max(10, WIDTH - max(beyond, 0)))


def _curve(values: np.ndarray[Any, Any], low: float, high: float, width: int) -> str:
    """A line of block characters, all curves of a table on one scale."""
    at = np.linspace(0, len(values) - 1, width).round().astype(int)
    scaled = np.clip((values[at] - low) / max(high - low, 1e-9), 0.0, 1.0)
    return "".join(BARS[1 + round(float(v) * (len(BARS) - 2))] for v in scaled)


def demo(options: DemoOptions, console: Console, command: str = "") -> Any:
    """Run it; returns the `hft_gym.report.Comparison` that it ends with.

    Raises:
        ConfigError: wrong options.
    """
    import baselines
    from baselines import tuned
    from hft_gym.envs.core import warm_cache
    from hft_gym.report import Bootstrap
    from train.players import leading

    began = time.monotonic()
    console.rule("1  the market")
    console.print(
        "A limit order book with queues, latency and informed traders. The first run compiles it ..."
    )
    seconds, _ = warm_cache()
    console.print(f"ready in {seconds:.1f} s", highlight=False)

    console.rule("2  scripted strategies trade it")
    # Seeds from the far end of the held-out ones: those of the table start at the other.
    show = int(held_out_seeds(1, offset=900_000_000)[0])
    from hft_gym.envs.vector import HFTMarketVectorEnv

    scale = HFTMarketVectorEnv(1)
    names = leading(scale.config)
    chosen = {name: tuned.tuned_parameters(name, scale.config) for name in names}
    scripted: dict[str, Policy] = {name: baselines.make(name, scale, **given) for name, given in chosen.items()}
    watch(scripted, show, console, options.show, "one episode, the same for all")

    console.rule("3  a PPO agent learns")
    from train.ppo import Options, compare_run, train

    training = Options(
        name=time.strftime("demo-%Y%m%d-%H%M%S"),
        runs=options.runs,
        minutes=options.seconds / 60.0,
        seed=options.seed,
        validate_every=10**12,  # once, at the end: a short training is not worth choosing from
        validation_episodes=32,
        compare=options.episodes,
    )
    console.print(f"{training.num_envs} markets side by side, {options.seconds:.0f} seconds ...")
    outcome = train(training, command=command, console=console)

    import agents

    console.rule("4  and joins them")
    agent = agents.load(outcome.run.agent, name="ppo")
    watch({**scripted, "ppo": agent}, show + 1, console, options.show, "another episode, the same for all")

    console.rule("5  everybody on the same held-out episodes")
    comparison = compare_run(outcome, console, command, name="ppo", baselines=names, bootstrap=Bootstrap(RESAMPLES))
    console.rule("where to look next")
    run = outcome.run.path
    for what, where in (
        ("the picture: price, and each policy's P&L", outcome.run.comparison / "comparison.png"),
        ("all the figures", outcome.run.comparison / "comparison.csv"),
        ("the agent: agents.load(...).predict(observation)", outcome.run.agent),
        ("ten minutes of training instead", "hft-gym train ppo"),
        ("train this one further", f"hft-gym train ppo --resume {run} --minutes 10"),
        (
            "compare it with every baseline",
            f"hft-gym compare --policies all {run}",
        ),
        ("the environment's data sheet", "hft-gym envs HFTMarket-v0"),
    ):
        console.print(f"  {what:50s} {where}", highlight=False, soft_wrap=True)
    console.print(f"{time.monotonic() - began:.0f} seconds in all", highlight=False)
    return comparison


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry of ``python -m train.demo`` and ``hft-gym demo``."""
    from rich.console import Console

    from train.options import parse, program

    words = list(sys.argv[1:] if arguments is None else arguments)
    demo(parse(DemoOptions, words, "train.demo"), Console(), " ".join([program("train.demo"), *words]))


if __name__ == "__main__":
    from train.options import script

    script(main, "train.demo")
