"""Train a PPO agent on the native batch of markets::

    python -m train.ppo --minutes 10
    python -m train.ppo --resume runs/ppo-20250101-120000     # after an interruption

In Python: `train`.
"""

from __future__ import annotations

import logging
import shlex
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hft_gym.config import build, to_dict
from hft_gym.envs.config import EnvConfig
from hft_gym.extras import optional
from train.ppo_options import AFTER, Options, changes, has_quotes, refuse_unused
from train.progress import ProgressBar
from train.run_folder import RunFolder

if TYPE_CHECKING:
    from rich.console import Console

    from hft_gym.report import Bootstrap
    from train.callback import Progress

__all__ = ["Options", "Outcome", "compare_run", "main", "train"]

logger = logging.getLogger("hft_gym.train")


@dataclass(frozen=True)
class Outcome:
    """A finished training.

    Attributes:
        run: its folder.
        options: as they were in force.
        progress: how far it came, and the best validation.
    """

    run: RunFolder
    options: Options
    progress: Progress


Report = Callable[["Progress", Mapping[str, float]], None]


def train(
    options: Options,
    report: Report | None = None,
    command: str = "",
    console: Console | None = None,
    changed: Collection[str] | None = None,
) -> Outcome:
    """Train, or go on with ``options.resume``, until the budget is used.

    Args:
        options: what to do.
        report: called after each rollout with the progress and mean P&L, fees, volume and inventory of the
            latest episodes, and after each validation with its result.
        command: for the record.
        console: where a progress bar and the validations are shown; None: nowhere.
        changed: of a resumed run, the options (of `AFTER`) that are to differ from its own; None: those that
            are not the defaults.

    Returns:
        What there is to know of it; the agent is in ``run.agent``.

    Raises:
        ConfigError: options that cannot be or would do nothing, or a folder that is in use.
        CheckpointError: a run to resume that cannot be.
    """
    if options.resume is None:
        refuse_unused(options)
    # What the train extra brings is missed before a folder is made for nothing.
    for module in ("torch", "stable_baselines3", "tensorboard"):
        optional(module)

    if options.resume is None and options.env.feed is not None:
        from hft_gym.envs.core import EnvCore

        EnvCore(options.env, 1)  # a file that cannot be replayed must not take the run's name
    run, options = _folder(options, command, changed)
    logger.info("%s: training %s", run.path, "begins" if options.resume is None else "goes on")
    try:
        outcome = _train(options, run, report, console)
        logger.info("%s: done after %d steps", run.path, outcome.progress.steps)
        return outcome
    except KeyboardInterrupt:
        if console is not None:
            console.print(f"stopped; go on with --resume {run.path}", highlight=False, soft_wrap=True)
        raise
    finally:
        run.close()


def _folder(options: Options, command: str, changed: Collection[str] | None) -> tuple[RunFolder, Options]:
    if options.resume is None:
        name = options.name or time.strftime("ppo-%Y%m%d-%H%M%S")
        options = replace(options, name=name)
        return RunFolder.create(options.runs / name, to_dict(options), command), options
    plain, default = to_dict(options), to_dict(Options())
    if changed is None:
        changed = [k for k in AFTER if plain[k] != default[k]]
    run, asked = RunFolder.open(options.resume, command, {k: plain[k] for k in changed})
    asked.pop("details", None)  # of runs from before --metrics
    return run, build(Options, {**asked, "runs": str(options.resume.parent), "resume": str(options.resume)})


def _train(options: Options, run: RunFolder, report: Report | None, console: Console | None) -> Outcome:
    import torch

    from train.callback import Progress, TrainingCallback, make_logger
    from train.checkpoint import load_checkpoint

    torch.set_num_threads(options.torch_threads)
    training, validation, _ = parts(options)
    if options.resume is not None and run.checkpoint.exists():
        model, saved, episodes = load_checkpoint(run.checkpoint, lambda steps: make_logger(run, steps))
        progress = Progress(**saved)
    else:  # new, or interrupted before the first checkpoint
        model, progress, episodes = _new_model(options, training), Progress(), []
        model.set_logger(make_logger(run, 0))
    run.cut_metrics(progress.steps)
    with ProgressBar(console) as bar:

        def tell(now: Progress, means: Mapping[str, float]) -> None:
            bar.update(now, means, callback.fraction())
            if report is not None:
                report(now, means)

        callback = TrainingCallback(options, run, validation, progress, tell)
        callback.episodes.extend(episodes)
        model.learn(sys.maxsize // 4, callback, reset_num_timesteps=False)
    model.logger.close()
    return Outcome(run, options, progress)


def parts(options: Options) -> tuple[EnvConfig, EnvConfig, EnvConfig]:
    """The environments of training, validation and the closing comparison.

    In a simulated market they differ by their seeds alone. Of a recorded day training and validation share
    the hours of ``replay.split="train"``, validation having the last ``validation_share`` of them; the
    comparison has the held-out ones.
    """
    env = options.env
    if env.feed is None:
        return env, env, env
    from hft_gym.envs.core import EnvCore

    def part(**replay: Any) -> EnvConfig:
        return replace(env, replay=replace(env.replay, **replay))

    window = EnvCore(part(split="train"), 1).window()
    assert window is not None
    learn, check = window.split(fraction=1.0 - options.validation_share)
    spans = [part(start=w.start_ns / 1e9, end=w.end_ns / 1e9, split="all") for w in (learn, check)]
    return spans[0], spans[1], part(split="held-out")


def _new_model(options: Options, config: EnvConfig) -> Any:
    import torch
    from stable_baselines3 import PPO
    from stable_baselines3.common.utils import set_random_seed
    from stable_baselines3.common.vec_env import VecNormalize

    import agents
    from agents.policies import MirrorPolicy
    from hft_gym.envs.actions import QUOTE_OPTIONS

    # Environment i has the seed s + i: blocks of seeds lest two runs share their markets.
    first = options.seed * 1000 % 1_000_000
    env = agents.make_vec_env(options.num_envs, config, seed=first, threads=options.env_threads, stagger=True)
    mirrored = options.policy == "mirror"  # it scales observations itself
    normalise = VecNormalize(
        env,
        gamma=options.gamma,
        clip_obs=options.clip_obs,
        clip_reward=options.clip_reward,
        norm_obs=not mirrored,
    )
    activation = {"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU}[options.activation]
    set_random_seed(options.seed)
    model = PPO(
        MirrorPolicy if mirrored else "MlpPolicy",
        normalise,
        n_steps=options.n_steps,
        batch_size=options.batch_size,
        n_epochs=options.n_epochs,
        learning_rate=options.learning_rate,
        gamma=options.gamma,
        gae_lambda=options.gae_lambda,
        clip_range=options.clip_range,
        ent_coef=options.ent_coef,
        vf_coef=options.vf_coef,
        max_grad_norm=options.max_grad_norm,
        stats_window_size=options.num_envs,
        policy_kwargs={"net_arch": list(options.net), "activation_fn": activation},
        seed=options.seed,
        device="cpu",
    )
    if has_quotes(config):
        with torch.no_grad():
            policy, join = model.policy, QUOTE_OPTIONS.index("join")
            if mirrored:
                policy.take_net.bias[0] += 0.5 * options.no_take  # it counts twice
                policy.quote_net.bias[join] += options.join
            else:  # the logits of bid, ask and take, one after the other
                policy.action_net.bias[2 * len(QUOTE_OPTIONS)] += options.no_take
                policy.action_net.bias[[join, len(QUOTE_OPTIONS) + join]] += options.join
    return model


def compare_run(
    outcome: Outcome,
    console: Console | None = None,
    command: str = "",
    name: str = "",
    baselines: Sequence[str] | None = None,
    bootstrap: Bootstrap | None = None,
) -> Any:
    """Play the scripted baselines (default: all of the task) and the agent in both modes on held-out episodes.

    Prints the table and writes it into the run's folder; returns the `hft_gym.report.Comparison`.
    """
    import agents
    from train.compare import compare_policies, show_and_write
    from train.trials import TrialLog

    options, run = outcome.options, outcome.run
    agent = agents.load(run.agent, name=name or options.name)
    comparison = compare_policies(
        baselines,
        parts(options)[2],
        agents={agent.name: agent, f"{agent.name} (drawn)": agent.stochastic()},
        episodes=options.compare,
        tune_settings=options.tune,
        consecutive=options.env.feed is not None,
        bootstrap=bootstrap,
        console=console,
        threads=options.env_threads,
        meta={"command": command, "run": str(run.path), "best": outcome.progress.best},
        log=TrialLog(run.path.parent / "trials.jsonl"),
    )
    show_and_write(comparison, run.comparison, run.path.parent / "parts", console, options.metrics)
    return comparison


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry of ``python -m train.ppo`` and ``hft-gym train ppo``."""
    from rich.console import Console

    from hft_gym.report.metrics import chosen
    from train.options import parse, program

    words = list(sys.argv[1:] if arguments is None else arguments)
    options = parse(Options, words, "train.ppo")
    chosen(options.metrics)  # a word that is none is an error now, not after the training
    changed = None if options.resume is None else changes(options, words)
    console = Console()
    command = f"{program('train.ppo')} {shlex.join(words)}".strip()
    outcome = train(options, command=command, console=console, changed=changed)
    run, best = outcome.run, outcome.progress.best
    console.print(
        f"{outcome.progress.steps:,} decisions in {outcome.progress.seconds:.0f} s; best validation P&L "
        f"{best['deterministic']:+.2f} at {best['steps']:,}: {run.agent}",
        highlight=False,
    )
    if outcome.options.compare:
        compare_run(outcome, console, command)
    console.print(f"curves: tensorboard --logdir {run.tensorboard}", highlight=False)


if __name__ == "__main__":
    from train.options import script

    script(main, "train.ppo")
