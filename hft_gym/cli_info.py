"""Small commands of ``hft-gym`` that tell: environments, baselines, versions, and the kernel cache."""

from __future__ import annotations

import inspect
import platform
import shutil
import textwrap
import time
from collections.abc import Callable
from importlib import metadata
from typing import Annotated, Any

import gymnasium
import tyro
from rich.console import Console
from rich.markup import escape
from rich.table import Table

import hft_gym
from hft_gym import cli
from hft_gym.config import did_you_mean
from hft_gym.errors import ConfigError
from hft_gym.extras import missing
from hft_gym.terminal import parse_options

_SHOWN = ("gymnasium", "numpy", "numba", "pandas", "torch", "stable-baselines3", "sb3-contrib", "plotly")


def compile_kernels() -> None:
    """Entry of ``hft-gym compile``."""
    parse_options(_compile)


def _compile(prune: bool = False) -> None:
    """Compile every kernel into the cache (a minute at most the first time, else a second).

    Args:
        prune: remove what earlier versions of the source left in the cache.
    """
    from hft_gym._jit import JIT_DISABLED, cache_folder

    if JIT_DISABLED:
        print("NUMBA_DISABLE_JIT is set: kernels run as plain Python, there is nothing to compile")
        return
    folder = cache_folder()
    print(f"compiling what is not yet in {folder} ...", flush=True)
    started = time.perf_counter()
    for name, warm in _kernels():
        begin = time.perf_counter()
        warm()
        print(f"  {name}: {time.perf_counter() - begin:.1f} s", flush=True)
    files = list(folder.glob("*.nbc"))
    size = sum(f.stat().st_size for f in files) / 1e6
    print(f"ready in {time.perf_counter() - started:.1f} s: {len(files)} kernels, {size:.1f} MB")
    if prune:
        stale = [f for f in folder.parent.glob("kernels-*") if f != folder and f.is_dir()]
        for old in stale:
            shutil.rmtree(old, ignore_errors=True)
        print(f"removed {len(stale)} folders of earlier versions")


def _kernels() -> list[tuple[str, Callable[[], object]]]:
    """What is compiled, and the functions that compile it."""
    from hft_gym.book.compiled import warm_up as warm_books
    from hft_gym.data.replay import warm_up as warm_replay
    from hft_gym.data.warm import warm_up as warm_readers
    from hft_gym.envs.core import warm_cache
    from hft_gym.envs.model.core import warm_up as warm_models
    from hft_gym.envs.seats import warm_up as warm_seats
    from hft_gym.market.market import warm_up as warm_market

    return [
        ("order book", warm_books),
        ("environments", warm_cache),
        ("model environment", warm_models),
        ("market", warm_market),
        ("seats of live sessions", warm_seats),
        ("replay", warm_replay),
        ("readers of recorded data", warm_readers),
    ]


def show_envs() -> None:
    """Entry of ``hft-gym envs``."""
    parse_options(_envs)


def _envs(id: Annotated[str | None, tyro.conf.Positional] = None) -> None:
    """List the environments, or print the data sheet of one.

    Args:
        id: an environment's id, such as HFTMarket-v0.
    """
    specs = {s.id: s for s in gymnasium.registry.values() if str(s.entry_point).startswith("hft_gym.")}
    if id is not None and id not in specs:
        raise ConfigError(f"no environment {id!r}{did_you_mean(id, sorted(specs))}")
    console = Console(highlight=False)
    if id is not None:
        env: Any = gymnasium.make(id).unwrapped
        console.print(inspect.cleandoc(type(env).__doc__ or ""), markup=False, soft_wrap=True)
        console.print(f"\nobservation_space: {env.observation_space.shape} {env.observation_space.dtype}")
        console.print(f"action_space: {env.action_space}", markup=False)
        env.close()
        return
    table = Table("id", "what it is", box=None, padding=(0, 2))
    for name in sorted(specs):
        entry = gymnasium.envs.registration.load_env_creator(str(specs[name].entry_point))
        table.add_row(name, _first_sentence(entry))
    console.print(table)
    console.print("\nhft-gym envs ID prints the data sheet: observations, actions, rewards, options.")


def show_presets() -> None:
    """Entry of ``hft-gym presets``."""
    parse_options(_presets)


def _presets() -> None:
    """List the markets that have a name: what each is, and the paper it is from."""
    from hft_gym.flow import PRESETS
    from hft_gym.flow.presets import preset_about

    table = Table("name", "what it is", box=None, padding=(0, 2))
    for name in PRESETS:
        table.add_row(name, escape(preset_about(name)))
    Console(highlight=False).print(table)
    print('\nIn Python: gymnasium.make("HFTMarket-v0", market=NAME). On the command line: --env.market NAME.')


def show_baselines() -> None:
    """Entry of ``hft-gym baselines``."""
    parse_options(_baselines)


def _baselines() -> None:
    """List the scripted strategies: name, what it does."""
    baselines = cli.load("baselines")
    table = Table("name", "what it does", box=None, padding=(0, 2))
    for name in baselines.names():
        table.add_row(name, _first_sentence(baselines.get(name)) if hasattr(baselines, "get") else "")
    Console(highlight=False).print(table)
    print("\nIn Python: baselines.make(NAME, env, **parameters). Comparisons also take my_module:MyStrategy.")


def show_versions() -> None:
    """Entry of ``hft-gym version``."""
    parse_options(_versions)


def _versions() -> None:
    """Print versions, folders and anything that looks wrong."""
    from hft_gym._jit import cache_folder

    print(f"hft_gym {hft_gym.__version__} in {cli.location('hft_gym')}")
    print(f"Python {platform.python_version()} on {platform.platform()}")
    for name in _SHOWN:
        try:
            print(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            print(missing(name.replace("-", "_")) or f"{name} is not installed")
    print(f"kernel cache {cache_folder()}")
    for package in cli.UPPER_PACKAGES:
        problem = cli.shadowing(package)
        if problem:
            print(f"WARNING: {problem}")


def _first_sentence(thing: Any) -> str:
    """The first sentence of *thing*'s docstring, on one line."""
    text = " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())
    return textwrap.shorten(text.split(". ")[0].rstrip("."), 90)
