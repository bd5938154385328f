"""What happens between two rollouts: log, validate, keep the best, write a checkpoint, know when to stop."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

import agents
from agents.agent import Agent, Normalisation
from hft_gym.envs.config import EnvConfig
from hft_gym.evaluation import evaluate, validation_seeds
from hft_gym.extras import needing_extras
from train.checkpoint import save_checkpoint
from train.run_folder import RunFolder
from train.trials import TrialLog, market_key

with needing_extras():
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.logger import KVWriter, Logger, TensorBoardOutputFormat
    from stable_baselines3.common.utils import ConstantSchedule

if TYPE_CHECKING:
    from train.ppo import Options

__all__ = ["Progress", "TrainingCallback", "make_logger"]

logger = logging.getLogger("hft_gym.train")

EPISODE_SCALARS = {
    "pnl": "episode/pnl",
    "fees": "episode/fees",
    "volume": "episode/filled_lots",
    "inventory": "episode/inventory",
}
"""Sums over an episode -> TensorBoard scalar: means over the latest episodes, one for each environment."""


@dataclass
class Progress:
    """How far a run is; kept in its checkpoints.

    Attributes:
        steps: decisions played, over all environments.
        seconds: spent training, over all sessions; validation included.
        rollouts: finished.
        validated: steps at the latest validation.
        best: of the best agent so far: steps, mean validation P&L of both modes, and its score: the mean of the
            deterministic mode less its standard error.
    """

    steps: int = 0
    seconds: float = 0.0
    rollouts: int = 0
    validated: int = 0
    best: dict[str, Any] = field(default_factory=dict)


class _Metrics(KVWriter):
    """Writes what Stable-Baselines3 logs into ``metrics.jsonl``."""

    def __init__(self, run: RunFolder) -> None:
        self.run = run

    def write(
        self, key_values: dict[str, Any], key_excluded: dict[str, tuple[str, ...]], step: int = 0
    ) -> None:
        """One row."""
        values = {k: v.item() if isinstance(v, np.generic) else v for k, v in sorted(key_values.items())}
        self.run.add_metrics(
            {"steps": int(step), **{k: v for k, v in values.items() if isinstance(v, (int, float))}}
        )

    def close(self) -> None:
        """Nothing is left open."""


class _TensorBoard(TensorBoardOutputFormat):
    """TensorBoard files in which steps that are played again after a resume replace those played before."""

    def __init__(self, folder: str, first_step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.writer = SummaryWriter(log_dir=folder, purge_step=first_step + 1 if first_step else None)
        self._is_closed = False


def make_logger(run: RunFolder, first_step: int) -> Logger:
    """Log to ``metrics.jsonl`` and to TensorBoard, from ``first_step`` on."""
    return Logger(str(run.path), [_Metrics(run), _TensorBoard(str(run.tensorboard), first_step)])


class TrainingCallback(BaseCallback):
    """Runs between the rollouts.

    Args:
        options: of the run.
        run: its folder.
        validation: the environment of validation.
        progress: where the run stands.
        report: called after every rollout with the progress and the latest means, and after a validation
            with its result.

    Attributes:
        episodes: sums of the latest episodes, one for each environment.
        finished: whether the budget is used.
    """

    def __init__(
        self,
        options: Options,
        run: RunFolder,
        validation: EnvConfig,
        progress: Progress,
        report: Callable[[Progress, dict[str, float]], None],
    ) -> None:
        super().__init__()
        self.options, self.run, self.validation = options, run, validation
        self.progress, self.report = progress, report
        self.finished = False
        self.episodes: deque[dict[str, Any]] = deque(maxlen=options.num_envs)
        self._before = progress.seconds  # spent in earlier sessions
        self._saved = 0.0

    def _init_callback(self) -> None:
        self._began = self._saved = time.monotonic()

    def _on_step(self) -> bool:
        dones = self.locals["dones"]
        if dones.any():
            infos = self.locals["infos"]
            self.episodes.extend(infos[i]["episode"] for i in np.flatnonzero(dones) if "episode" in infos[i])
        return not self.finished

    def _on_rollout_start(self) -> None:
        # The one moment at which nothing is under way: the last rollout has been learnt from.
        progress, options = self.progress, self.options
        progress.steps = self.num_timesteps
        progress.seconds = self._before + time.monotonic() - self._began
        done = self.fraction()
        last = done >= 1.0
        first = progress.steps == 0
        if not first and (last or progress.steps - progress.validated >= options.validate_every):
            self._validate()
        if last:  # what has been logged since the last rollout would otherwise be lost
            self.logger.dump(progress.steps)
        if last or (not first and time.monotonic() - self._saved >= options.checkpoint_every * 60.0):
            self.save()
        self.finished = last
        self._set_rate(done)
        self.report(progress, self.means())

    def _on_rollout_end(self) -> None:
        self.progress.rollouts += 1
        for key, value in self.means().items():
            self.logger.record(key, value)

    def fraction(self) -> float:
        """Share of the budget that is used: of the steps or of the minutes, whichever is further."""
        options, progress = self.options, self.progress
        of_steps = progress.steps / options.steps if options.steps else 0.0
        of_time = progress.seconds / (60.0 * options.minutes) if options.minutes else 0.0
        return min(max(of_steps, of_time), 1.0)

    def _set_rate(self, done: float) -> None:
        options = self.options
        decay = 1.0 - done * (1.0 - options.final_rate)
        # Stable-Baselines3's own schedules know only steps, not minutes.
        self.model.lr_schedule = ConstantSchedule(options.learning_rate * decay)

    def means(self) -> dict[str, float]:
        """Means over the latest episodes, one for each environment, by scalar; empty before the first end."""
        if not self.episodes:
            return {}
        return {to: float(np.mean([e[key] for e in self.episodes])) for key, to in EPISODE_SCALARS.items()}

    def agent(self) -> Agent:
        """The agent as it stands, over the model that is being trained."""
        normalise = self.model.get_vec_normalize_env()
        assert normalise is not None
        env = normalise.unwrapped
        return Agent(
            self.options.name or "ppo",
            "PPO",
            self.model,
            Normalisation.of(normalise),
            tuple(env.observation_schema.names),
            env.action_schema.kind,
        )

    def _validate(self) -> None:
        progress, options = self.progress, self.options
        agent, seeds = self.agent(), validation_seeds(options.validation_episodes)
        result: dict[str, Any] = {"steps": progress.steps}
        for mode in ("deterministic", "stochastic"):
            played = evaluate(
                agent,
                self.validation,
                seeds,
                deterministic=mode == "deterministic",
                num_envs=128,
                log_capacity=0,
                threads=options.env_threads,
            )
            result[mode] = float(played.net_pnl.mean())
            self.logger.record(f"validation/{mode}", result[mode])
            if mode == "deterministic":
                # Whoever reports the best of these has chosen it: each counts as a trial.
                run = {"run": self.run.path.name, "seed": options.seed, "steps": progress.steps}
                log = TrialLog(self.run.path.parent / "trials.jsonl")
                log.add("train", run["run"], market_key(self.validation), run, seeds, played.net_pnl)
                # On few or wild episodes a mean alone would choose whoever was lucky.
                result["score"] = result[mode] - float(played.net_pnl.std()) / len(seeds) ** 0.5
        self.logger.record("validation/score", result["score"])
        progress.validated = progress.steps
        if not progress.best or result["score"] > progress.best["score"]:
            progress.best = result
            self.save_agent(best=True)
        logger.info("%s: validation after %d steps: %s", self.run.path, progress.steps, result)
        self.report(
            progress, {"validation/" + k: v for k, v in result.items() if k not in ("steps", "score")}
        )

    def save_agent(self, best: bool) -> None:
        """Write ``agent.zip`` (the best) or ``last.zip``."""
        about = {
            "name": self.options.name or "ppo",
            "steps": self.progress.steps,
            "validation": self.progress.best,
        }
        agents.save(self.run.agent if best else self.run.last, self.model, metadata=about)

    def save(self) -> None:
        """Write ``last.zip`` and ``checkpoint.zip``."""
        self.save_agent(best=False)
        save_checkpoint(self.run.checkpoint, self.model, vars(self.progress), list(self.episodes))
        self._saved = time.monotonic()
