"""Who takes part in a comparison: scripted strategies by task, trained agents by path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import baselines
from baselines import tuned
from hft_gym.config import build, to_dict
from hft_gym.envs.config import EnvConfig
from hft_gym.errors import ConfigError
from hft_gym.evaluation import Policy

__all__ = [
    "BASELINES",
    "agent_name",
    "config_for",
    "drawing",
    "expanded",
    "is_agent",
    "leading",
    "load_agent",
    "parameters_of",
]

REFERENCES = ("do-nothing", "random", "buy-and-hold")
MAKERS = (
    "market-making",
    "inventory-skew",
    "join-touch",
    "avellaneda-stoikov",
    "glft",
    "cartea-jaimungal",
    "microprice-maker",
)
TAKERS = ("liquidity-taking", "momentum", "order-flow-imbalance", "queue-imbalance", "microprice-taker")

BASELINES = {
    "market-making": (*REFERENCES, *MAKERS, *TAKERS),
    "execution": ("do-nothing", "immediate", "twap", "vwap", "almgren-chriss", "passive-then-cross"),
    "liquidity-taking": (*REFERENCES, *TAKERS),
}
"""What a policy is compared with, by the task of the environment: every strategy there is, each with the parameters
tuned for the market where there are any."""


def leading(config: EnvConfig, each: int = 2) -> tuple[str, ...]:
    """The reference points, and the makers and takers that earned most where they were tuned, for a short comparison.

    They are chosen by what their tuning earned on training seeds, never by the episodes of the comparison. Of
    execution strategies there are few: all of them.

    Args:
        config: the environment; in a market that nothing is tuned for, the first of each kind.
        each: how many makers, and how many takers.
    """

    def earned(name: str) -> float:
        found = tuned.record(name, config)
        return float("-inf") if found is None else float(found["net_pnl"]["value"])

    chosen = [name for group in (MAKERS, TAKERS) for name in sorted(group, key=earned, reverse=True)[:each]]
    fitting = BASELINES[config.task]
    return fitting if config.task == "execution" else tuple(n for n in (*REFERENCES, *chosen) if n in fitting)


def expanded(policies: Sequence[str] | None, task: str) -> list[str]:
    """The policies of a comparison in order: ``"all"`` stands for every baseline of the task, and so does None.

    >>> expanded(["all", "runs/mine", "twap"], "liquidity-taking")[-2:]
    ['runs/mine', 'twap']
    """
    found: list[str] = []
    for text in ("all",) if policies is None else policies:
        found += [name for name in (BASELINES[task] if text == "all" else (text,)) if name not in found]
    return found


def is_agent(text: str) -> bool:
    """Whether a policy is the path of an agent rather than the name of a baseline.

    Raises:
        ConfigError: it looks like a path, and there is nothing.
    """
    if text in baselines.names():
        return False
    if Path(text).exists():
        return True
    if "/" in text or "\\" in text or text.endswith(".zip"):
        raise ConfigError(f"no agent at {text!r}: there is no such file or folder")
    return False


def load_agent(path: str) -> Policy:
    """The agent of a run's folder or of a model's file."""
    import agents  # torch takes seconds: only when an agent takes part

    agent: Policy = agents.load(path)
    return agent


def agent_name(path: str, taken: Sequence[str]) -> str:
    """A short name: the run's folder rather than ``agent.zip`` in it; the whole path where that is taken."""
    where = Path(path)
    plain = where.stem in ("agent", "best", "best_model", "final", "last", "model") and where.parent.name
    name = str(plain or where.stem)
    return path if name in taken or name in baselines.names() else name


def drawing(agent: Policy) -> Policy:
    """The agent with a stream of its own for drawn actions, where it has one."""
    stochastic = getattr(agent, "stochastic", None)
    return agent if stochastic is None else stochastic()


def config_for(policy: Policy, config: EnvConfig) -> EnvConfig:
    """The environment for a policy: an agent sees and acts as it was trained to, the market is common."""
    trained_in = getattr(policy, "config", None)
    if not isinstance(trained_in, Mapping):
        return config
    faces = {k: trained_in[k] for k in ("action", "ladder", "levels") if k in trained_in}
    return build(EnvConfig, {**to_dict(config), **faces})


def parameters_of(strategy: Policy) -> dict[str, Any]:
    """The parameters of a scripted strategy, as far as JSON can hold them."""
    plain = (bool, int, float, str, type(None))
    return {k: v for k, v in vars(strategy).items() if not k.startswith("_") and isinstance(v, plain)}
