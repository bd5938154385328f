"""What ``python -m train.ppo`` is asked, and which of it makes sense together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal

from hft_gym.config import no_effect
from hft_gym.envs.config import EnvConfig, RewardConfig
from hft_gym.errors import ConfigError

__all__ = ["AFTER", "Options", "changes", "has_quotes", "refuse_unused"]


@dataclass(frozen=True)
class Options:
    """Train a PPO agent, keep the one that does best on validation seeds, and compare it with the baselines.

    Everything goes into one folder, runs/NAME: see --resume for going on with it after an interruption.
    Training, validation and the closing comparison use disjoint seeds; of a replay disjoint hours.
    """

    name: str = ""
    """Of the run; default: ppo-DATE-TIME."""
    runs: Path = Path("runs")
    """Folder that runs are in."""
    resume: Path | None = None
    """Go on with this run, from its last checkpoint, with its own options: only the budget (--minutes and
    --steps, counted from the run's start), threads and what comes after training can be given anew."""

    minutes: float | None = 10.0
    """Stop after so many minutes of training (wall clock); None: no limit."""
    steps: int | None = None
    """Stop after so many decisions, over all environments; None: no limit. Two runs of one seed on one
    machine are equal, bit for bit, if steps end them (--minutes None): minutes depend on its load."""
    seed: int = 1
    """Of the markets, the weights and all draws."""

    num_envs: int = 256
    """Markets played side by side."""
    env_threads: int = 2
    """Threads of the compiled step; results do not depend on it."""
    torch_threads: int = 1
    """Threads of torch. The networks are so small that a second one gains nothing (measured: 16,384 samples are
    learnt from in 0.12 s by one thread, in 0.15 s by two)."""

    n_steps: int = 64
    """Decisions of each market in a rollout."""
    batch_size: int = 2048
    """Samples in a minibatch."""
    n_epochs: int = 2
    """Passes over each rollout."""
    learning_rate: float = 3e-3
    """Of Adam, at the start."""
    final_rate: float = 0.05
    """Share of the learning rate that is left at the end of the budget; it falls linearly."""
    gamma: float = 0.95
    """Discount per decision. What a quote earns or loses is known within a second or two; farther ahead there is
    mostly noise."""
    gae_lambda: float = 0.95
    """Of generalised advantage estimation."""
    clip_range: float = 0.2
    """Of PPO's ratio."""
    ent_coef: float = 0.01
    """Weight of the entropy bonus. It keeps the agent trying quotes until it knows how to hold its inventory down:
    without it not quoting at all soon looks best, and is never left again."""
    vf_coef: float = 0.5
    """Weight of the value's loss."""
    max_grad_norm: float = 0.5
    """Gradients longer than this are shortened."""
    policy: Literal["mirror", "mlp"] = "mirror"
    """mirror: one network that treats buying and selling as mirror images (agents.policies); mlp: the plain
    one of Stable-Baselines3, on normalised observations, for any --env.action."""
    net: tuple[int, ...] = (64, 64)
    """Hidden layers."""
    activation: Literal["tanh", "relu"] = "tanh"
    """Of the hidden layers."""
    no_take: float = 4.0
    """Bias of the untrained policy against taking: e^4 to 1. Without it two of three first decisions cross
    the spread, and all that the first million of them teaches is not to."""
    join: float = 2.0
    """Bias of the untrained policy towards quotes at the touch: e^2 to 1. Without it hardly a quote stays long
    enough in its queue to be filled by anybody but the informed, and not to quote at all looks best."""
    clip_obs: float = 10.0
    """Normalised observations are clipped here."""
    clip_reward: float = 10.0
    """Normalised rewards are clipped here."""

    validate_every: int = 1_000_000
    """Decisions between two validations; the agent with the best P&L (mean less standard error) so far is kept."""
    validation_episodes: int = 128
    """Episodes of a validation."""
    validation_share: float = 0.2
    """Of a replay: the last part of the training hours, which validation plays and training does not."""
    checkpoint_every: float = 1.0
    """Minutes between two checkpoints."""

    compare: int = 200
    """Held-out episodes of the closing comparison; 0: none."""
    tune: int = 0
    """Settings to try for each scripted baseline of the comparison, on training seeds; 0: those stored for the market,
    or its defaults."""
    metrics: tuple[str, ...] = ()
    """Metrics that the comparison prints beside the headline: all, groups, or names of docs/metrics.md."""

    env: EnvConfig = field(default_factory=lambda: EnvConfig(reward=RewardConfig(inventory=0.05)))
    """The environment. --env.market NAME chooses a whole market: a preset (hft-gym presets lists them) or a TOML file
    such as hft-gym calibrate writes."""

    def __post_init__(self) -> None:
        for name in (
            "num_envs",
            "env_threads",
            "torch_threads",
            "n_steps",
            "n_epochs",
            "validation_episodes",
        ):
            _at_least(name, getattr(self, name), 1)
        for name in ("learning_rate", "checkpoint_every", "compare", "tune"):
            _at_least(name, getattr(self, name), 0)
        if self.minutes is None and self.steps is None:
            raise ConfigError("minutes and steps are both None: training would never end; give one of them")
        for name in ("minutes", "steps"):
            if getattr(self, name) is not None and not getattr(self, name) > 0:
                raise ConfigError(f"{name}: must be above 0, got {getattr(self, name)}")
        samples = self.num_envs * self.n_steps
        if not 2 <= self.batch_size <= samples:
            raise ConfigError(
                f"batch_size: must be between 2 and num_envs * n_steps = {samples}, got {self.batch_size}"
            )
        if self.policy == "mirror" and self.env.action != "multi_discrete":
            raise ConfigError(
                f"policy: mirror needs env.action multi_discrete, got {self.env.action}; use mlp"
            )
        if self.policy == "mirror" and self.env.task == "liquidity-taking":
            raise ConfigError(f"policy: mirror needs quotes, and env.task {self.env.task} has none; use mlp")
        if not 0.0 < self.validation_share < 1.0:
            raise ConfigError(f"validation_share: must be between 0 and 1, got {self.validation_share}")


def refuse_unused(options: Options) -> None:
    """Refuse options that a new run would not use.

    Raises:
        ConfigError: there is one.
    """
    env = options.env
    if env.feed is None:
        no_effect(options, ("validation_share",), "without env.feed: validation has seeds of its own")
    if options.policy == "mirror":
        no_effect(options, ("clip_obs",), "with policy mirror, which scales observations itself")
    if not has_quotes(env):
        no_effect(options, ("no_take", "join"), f"with env.action {env.action} in the task {env.task}")
    if not options.compare:
        no_effect(options, ("tune", "metrics"), "without a closing comparison (compare is 0)")


def has_quotes(env: EnvConfig) -> bool:
    """Whether actions are quotes and a take, which an untrained policy can lean towards."""
    return env.action == "multi_discrete" and env.task != "liquidity-taking"


AFTER = ("minutes", "steps", "compare", "tune", "metrics", "torch_threads", "env_threads", "checkpoint_every")
"""Options that may differ when a run is resumed."""


def _at_least(name: str, value: float, least: float) -> None:
    if not value >= least:
        raise ConfigError(f"{name}: must be at least {least}, got {value}")


def changes(options: Options, words: Sequence[str]) -> set[str]:
    """The options that ``words`` give anew to a resumed run.

    Raises:
        ConfigError: one of them cannot be changed: whoever gives it must learn that it would be ignored.
    """
    names: set[str] = set()
    for f in fields(options):
        flag = "--" + f.name.replace("_", "-")
        given = any(w == flag or w.startswith((flag + "=", flag + ".", "--no-" + flag[2:])) for w in words)
        if given and f.name not in ("resume", *AFTER):
            changeable = ", ".join("--" + n.replace("_", "-") for n in AFTER)
            raise ConfigError(f"{flag} cannot be changed when a run is resumed; allowed are {changeable}")
        if given and f.name != "resume":
            names.add(f.name)
    return names
