"""Compare baselines and trained agents on the same held-out seeds::

    python -m train.compare --policies do-nothing market-making runs/x/agent --episodes 200

In Python: `compare_policies`.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

import baselines
from baselines import tuned
from hft_gym.config import build, no_effect, to_dict
from hft_gym.envs.config import EnvConfig
from hft_gym.envs.core import EnvCore
from hft_gym.envs.vector import HFTMarketVectorEnv
from hft_gym.errors import ConfigError
from hft_gym.evaluation import Episodes, Policy, evaluate, held_out_seeds, training_seeds
from hft_gym.report import Bootstrap, Comparison, Session, compare, print_comparison, write
from hft_gym.report.metrics import chosen as chosen_metrics
from hft_gym.report.parts import write_part
from train import sensitivity as grids
from train.evidence import gather, training_part
from train.options import parse, program, script
from train.players import agent_name, config_for, drawing, expanded, is_agent, load_agent, parameters_of
from train.progress import PolicyBars
from train.run_folder import check_file, check_folder, git_version, new_folder, versions
from train.trials import TrialLog, behind
from train.tune import Tuning, tune

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["CompareOptions", "compare_policies", "main", "play", "show_and_write"]

PARENT_METRICS = ("parent_shortfall_ticks", "parent_shortfall", "completion")
"""What is shown of executions in any case."""
RESAMPLES = 100
"""Least of the bootstrap that a command makes intervals from: 2.5 % of them are then two or three."""


@dataclass(frozen=True)
class CompareOptions:
    """Play policies on the same held-out seeds, and say honestly which is best.

    A policy is a baseline's name (hft-gym baselines lists them), with parameters as
    market-making:spread_target=0.03,skew=2; a strategy of your own as my_module:MyStrategy; the path of a
    trained agent; or all, for every baseline of the task. The tables go to the terminal, everything else into the
    output folder.
    """

    policies: tuple[str, ...] = ()
    """What to compare; default: all, every baseline of the task."""
    episodes: int = 200
    """Held-out episodes that each policy plays."""
    seed: int = 0
    """Offset into the held-out seeds: another one gives other episodes."""
    parameters: Literal["tuned", "default"] = "tuned"
    """Of scripted baselines given without any: those stored for the market's preset (train tune-baseline), where
    there are, or the defaults."""
    tune: int = 0
    """Settings to try now for each scripted baseline given without parameters, on training seeds; 0: none."""
    tune_episodes: int = 64
    """Training episodes that each setting plays."""
    out: Path | None = None
    """Folder for tables and pictures; default: runs/compare-DATE-TIME."""
    parts: Path = Path("runs/parts")
    """Store that the evaluation is added to, as a part that hft-gym runs reads."""
    actions: Literal["deterministic", "stochastic", "both"] = "deterministic"
    """Whether agents give their most likely action, draw one, or are shown both ways."""
    consecutive: bool = False
    """For a replay: disjoint episodes one after the other through the window, instead of random starts."""
    metrics: tuple[str, ...] = ()
    """Metrics to print beside the headline: all, groups (returns, drawdown, activity, execution, inventory,
    attribution, significance), or names of docs/metrics.md. The files hold all of them in any case.
    """
    resamples: int = 5000
    """Resamples of the bootstrap, at least 100."""
    num_envs: int = 128
    """Episodes played side by side; results do not depend on it."""
    threads: int = 1
    """Threads of the compiled step; results do not depend on it."""
    trials: Path = Path("runs/trials.jsonl")
    """List of all trials: those of --tune are added, and all of this market count in the deflated Sharpe ratio."""
    sensitivity: tuple[str, ...] = ()
    """What to play the policies again with, on the same seeds: latency (times 0 to 200), fees (up to a tick a lot
    more), fill (the queue model of a level-2 replay; else without the fills that were not traded through)."""
    matrix: tuple[str, ...] = ()
    """Markets to play the policies in, the scripted ones with the parameters tuned for each of them."""
    session: Session = field(default_factory=Session)
    """Trading hours that annual figures count; the default gives way to the session of the flow, if it has one."""
    env: EnvConfig = field(default_factory=EnvConfig)
    """The environment. --env.market NAME chooses a whole market: a preset (hft-gym presets lists them) or a TOML file
    such as hft-gym calibrate writes."""

    def __post_init__(self) -> None:
        if self.resamples < RESAMPLES:
            raise ConfigError(
                f"resamples: must be at least {RESAMPLES}, got {self.resamples}: quantiles of fewer say nothing"
            )
        if self.tune:
            no_effect(self, ("parameters",), "with tune: what has parameters is tuned now")
        else:
            no_effect(self, ("tune_episodes",), "without tune: no setting is tried")


def compare_policies(
    policies: Sequence[str] | None = None,
    config: EnvConfig | Mapping[str, Any] | None = None,
    *,
    agents: Mapping[str, Policy] | None = None,
    episodes: int = 200,
    seed: int = 0,
    parameters: Literal["tuned", "default"] = "tuned",
    tune_settings: int = 0,
    tune_episodes: int = 64,
    actions: Literal["deterministic", "stochastic", "both"] = "deterministic",
    consecutive: bool = False,
    bootstrap: Bootstrap | None = None,
    num_envs: int = 128,
    threads: int = 1,
    console: Console | None = None,
    meta: Mapping[str, Any] | None = None,
    log: TrialLog | None = None,
    session: Session | None = None,
    sensitivity: Sequence[str] = (),
    matrix: Sequence[str] = (),
) -> Comparison:
    """Play every policy on the same held-out episodes.

    Args:
        policies: names of baselines, with parameters or not, paths of agents, and ``"all"``, as on the command line;
            None: all, the `train.players.BASELINES` of the task.
        config: the environment.
        agents: further trained agents, already loaded, by name.
        episodes: how many.
        seed: offset into the held-out seeds.
        parameters: of scripted baselines without any: those stored for the market's preset, where there are, or the
            defaults.
        tune_settings: settings to try now for each scripted baseline without parameters; 0: none.
        tune_episodes: training episodes for each of them.
        actions: of the agents: the most likely ones, drawn ones, or both, as two rows.
        consecutive: for a replay, disjoint episodes through the window, at most ``episodes`` of them.
        bootstrap: how intervals are made.
        num_envs: episodes side by side.
        threads: of the compiled step.
        console: where progress is shown; None: nowhere.
        meta: kept with the comparison, beside versions and configuration.
        log: the list of all trials; None: only those of this call count.
        session: trading hours that annual figures count; default: the flow's session, if it has one.
        sensitivity: of `train.sensitivity.OPTIONS`, what to play the policies again with.
        matrix: markets by name, to play the policies in.

    Raises:
        ConfigError: an unknown policy, a wrong parameter, no policies; tuning where nothing can be tuned; ways to act
            where no agent takes part.
    """
    if tune_settings < 0:
        raise ConfigError(f"tune: must be at least 0 settings, got {tune_settings}")
    config = build(EnvConfig, config)
    grids.check(sensitivity, config, matrix)
    starts = consecutive_starts(config)[:episodes] if consecutive else None
    seeds = held_out_seeds(episodes if starts is None else len(starts), seed)
    scale = HFTMarketVectorEnv(1, config)
    players: dict[str, Policy] = {}
    trained = dict(agents or {})
    tunings: list[Tuning] = []
    hindsight: list[str] = []
    asked = expanded(policies, config.task)
    if actions != "deterministic" and not trained and not any(is_agent(text) for text in asked):
        raise ConfigError(f"actions: {actions} is about trained agents, and none is among {', '.join(asked)}")
    stored: dict[str, dict[str, Any]] = {}  # policies with parameters that ship with the package
    chosen: dict[str, str] = {}  # policies whose parameters somebody chose -> baseline
    with PolicyBars(console) as progress:
        for text in asked:
            if is_agent(text):
                name = agent_name(text, [*players, *trained])
                trained[name] = load_agent(text)
                continue
            name, given = baselines.parse(text)
            if tune_settings and not given and baselines.get(name).search_space(scale):
                found = tune(
                    name,
                    tune_settings,
                    training_part(config),
                    seeds=training_seeds(tune_episodes),
                    num_envs=num_envs,
                    threads=threads,
                    progress=progress.task(f"tuning {name}"),
                    log=log,
                )
                tunings.append(found)
                given = dict(found.best.parameters)
            elif parameters == "tuned" and not given:
                before = tuned.record(name, config)
                if before is not None:
                    stored[text] = before
                    given = before["parameters"]
            strategy = baselines.make(name, scale, **given)
            if getattr(strategy, "cheats", False):
                strategy.foresee(config, seeds, starts=starts, num_envs=num_envs, threads=threads)
                text = f"{text} (hindsight)"
                hindsight.append(text)
            players[text] = strategy
            if given or text in {t.name for t in tunings}:
                chosen[text] = name
        if tune_settings and not tunings:
            raise ConfigError(f"tune: none of {', '.join(asked)} has parameters to tune that are not given already")
        clash = sorted(set(players) & set(trained))
        if clash:
            raise ConfigError(f"an agent and a baseline are both called {clash[0]!r}; rename the agent")
        runs: list[Episodes] = []
        deterministic = dict.fromkeys(players, True)
        for name, agent in list(trained.items()):
            deterministic[name] = actions != "stochastic" and not getattr(agent, "draws", False)
            if actions == "both":
                twin = f"{name} (drawn)"
                trained[twin], deterministic[twin] = drawing(agent), False

        def play(
            policy: Policy,
            where: EnvConfig,
            some: npt.NDArray[np.int64],
            likeliest: bool,
            name: str = "once more",
            log_capacity: int = 4096,
        ) -> Episodes:
            return evaluate(
                policy,
                config_for(policy, where),
                some,
                deterministic=likeliest,
                starts=None if starts is None else starts[: len(some)],
                num_envs=num_envs,
                threads=threads,
                log_capacity=log_capacity,
                name=name,
                progress=progress.task(name),
            )

        def again(name: str, setting: str, policy: Policy, where: EnvConfig) -> npt.NDArray[np.float64]:
            return play(policy, where, seeds, deterministic[name], f"{name}, {setting}", 0).net_pnl

        everybody = {**players, **trained}
        for name, policy in everybody.items():
            runs.append(play(policy, config, seeds, deterministic[name], name))
        idle = None
        if all(len(run.orders) for run in runs):  # nobody who stayed out: the own impact needs one
            idle = play(baselines.make("do-nothing", scale), config, seeds, True, "do-nothing")
        evidence = gather(runs, everybody, list(trained), [*(t.name for t in tunings), *stored], config, play)
        fair = {name: policy for name, policy in everybody.items() if name not in hindsight}
        found_grids = [grids.sensitivity(option, config, runs, fair, again, bootstrap) for option in sensitivity]
        if matrix:
            plain = {name: name for name in fair if name in baselines.names()}
            found_grids.append(grids.matrix(matrix, config, fair, plain, again, bootstrap))
    tried = behind(chosen, list(trained), tunings, stored, config, log)
    record = {
        "config": to_dict(config),
        "seeds": {"first": int(seeds[0]), "count": len(seeds), "purpose": "held-out"},
        "parameters": {n: parameters_of(p) for n, p in players.items()},
        "tuning": [t.record() for t in tunings],
        "trials": {n: t.record() for n, t in tried.items()},
        "tuned": {
            n: {**{k: r[k] for k in ("market", "command", "trials", "version")}, "other": tuned.others(r, config)}
            for n, r in stored.items()
        },
        "versions": {**versions(), **({"git": git} if (git := git_version()) else {})},
        **(meta or {}),
    }
    comparison = compare(
        runs,
        list(trained),
        bootstrap,
        record,
        hindsight=hindsight,
        session=session or _session(config),
        counterfactual=idle,
        trials=tried,
        evidence=evidence,
    )
    return replace(comparison, grids=tuple(found_grids))


def _session(config: EnvConfig) -> Session | None:
    """The session of a simulated market whose flow knows the time of day."""
    found = config.market.order_flow.session if config.feed is None else None
    return None if found is None else Session(seconds=found.length_s)


def consecutive_starts(config: EnvConfig) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Where the disjoint episodes of a replay start, ns since midnight; the first where the first may.

    Raises:
        ConfigError: the market is simulated.
    """
    core = EnvCore(config, 1)
    window = core.window()
    if window is None:
        raise ConfigError("consecutive episodes need a replay: give env.feed, the path of a message file")
    # The hours in a file's name begin before its first row, and no episode can.
    first, _ = core.env["window"][0]
    return replace(window, start_ns=int(first)).episode_starts(config.episode_steps * config.step_ns, "consecutive")


def show_and_write(
    comparison: Comparison, out: Path, parts: Path, console: Console | None = None, metrics: Sequence[str] = ()
) -> dict[str, Path]:
    """Print a comparison, write its files and store it; returns the files by kind. Every training script ends with
    this.

    Args:
        comparison: what was measured.
        out: folder of the files.
        parts: store that it is added to (`hft_gym.report.parts`).
        console: where to print; default: the terminal.
        metrics: to print beside the headline.
    """
    from rich.console import Console

    console = console or Console()
    # First, because whoever reads the output may go away before its end.
    written, part = write(comparison, out), write_part(comparison, parts)
    execution = comparison.meta.get("config", {}).get("task") == "execution"
    print_comparison(comparison, console, (*(PARENT_METRICS if execution else ()), *metrics))
    for tuning in comparison.meta.get("tuning", ()):
        chosen = ", ".join(f"{k}={v:g}" for k, v in tuning["best"].items()) or "the defaults"
        console.print(
            f"{tuning['baseline']}: best of {len(tuning['trials'])} settings on {tuning['training_seeds']} "
            f"training seeds: {chosen}",
            highlight=False,
        )
    for line in _of_stored(comparison.meta.get("tuned", {})):
        console.print(line, highlight=False)
    console.print(f"written to {out}: {', '.join(p.name for p in written.values())}", highlight=False)
    console.print(f"stored as {part.id} in {parts}", highlight=False, soft_wrap=True, markup=False)
    if comparison.meta.get("command"):
        console.print(f"made by: {comparison.meta['command']}", highlight=False, soft_wrap=True, markup=False)
    return written


def _of_stored(stored: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Whose parameters ship with the package, and whether they were tuned for what was played."""
    alike: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for name, record in stored.items():
        alike.setdefault((record["market"], tuple(record.get("other", ()))), []).append(name)
    return [
        f"with the parameters stored for {market}, tuned with other {', '.join(other)} (docs/baselines.md: tune anew): "
        f"{', '.join(names)}"
        if other
        else f"with the parameters stored for this market: {', '.join(names)}"
        for (market, other), names in alike.items()
    ]


def play(
    options: CompareOptions, command: str, console: Console | None = None, meta: Mapping[str, Any] | None = None
) -> Comparison:
    """What the command does before it prints: `compare_policies` with its options; *command* and *meta* are kept."""
    return compare_policies(
        options.policies or None,
        options.env,
        episodes=options.episodes,
        seed=options.seed,
        parameters=options.parameters,
        tune_settings=options.tune,
        tune_episodes=options.tune_episodes,
        actions=options.actions,
        consecutive=options.consecutive,
        bootstrap=Bootstrap(options.resamples),
        num_envs=options.num_envs,
        threads=options.threads,
        console=console,
        meta={"command": command, **(meta or {})},
        log=TrialLog(options.trials),
        session=None if options.session == Session() else options.session,
        sensitivity=options.sensitivity,
        matrix=options.matrix,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry of ``python -m train.compare`` and ``hft-gym compare``."""
    from rich.console import Console

    words = list(sys.argv[1:] if arguments is None else arguments)
    options = parse(CompareOptions, words, "train.compare")
    chosen_metrics(options.metrics)  # a word that is none is an error now, not after minutes
    console = Console()
    check_folder("parts", options.parts)
    check_file("trials", options.trials)
    if options.out is not None:
        check_folder("out", options.out)
    out = options.out or new_folder(Path("runs"), "compare")
    try:
        comparison = play(options, f"{program('train.compare')} {shlex.join(words)}".strip(), console)
    except BaseException:
        if options.out is None:
            out.rmdir()  # made for nothing
        raise
    show_and_write(comparison, out, options.parts, console, options.metrics)


if __name__ == "__main__":
    script(main, "train.compare")
