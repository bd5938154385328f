"""The command ``hft-gym``: one table of commands, each loaded only when it is called.

This is the one module of the library that may look up to ``baselines``, ``agents`` and ``train``. It
does so lazily (:func:`load`), and says what to do when they cannot be had: an extra that is not
installed, or another distribution's package of the same name that hides ours.
"""

from __future__ import annotations

import base64
import difflib
import hashlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module, metadata, util
from pathlib import Path
from types import ModuleType

from hft_gym.config import did_you_mean
from hft_gym.errors import ConfigError, HFTGymError
from hft_gym.extras import needing_extras
from hft_gym.logs import setup_main_logger

UPPER_PACKAGES = ("agents", "baselines", "train")
"""Top-level packages that our distribution brings besides ``hft_gym``; their names are not ours alone."""
LOG_OPTIONS = ("level", "style", "path")


class CommandError(HFTGymError):
    """A command cannot be carried out; the message says why and how to mend it."""


@dataclass(frozen=True)
class Command:
    """One row of the command table: ``module:function`` is imported when the command is called."""

    words: str
    target: str
    summary: str
    example: str

    def function(self) -> Callable[[], object]:
        """The function behind the command; it reads its options from ``sys.argv``."""
        module, _, name = self.target.partition(":")
        function: Callable[[], object] = getattr(load(module), name)
        return function


COMMANDS = (
    Command(
        "demo",
        "train.demo:main",
        "Watch strategies and a freshly trained PPO agent trade one market; ends with a table.",
        "hft-gym demo",
    ),
    Command(
        "train ppo",
        "train.ppo:main",
        "Train a PPO agent; keeps the best model and writes everything into a run folder.",
        "hft-gym train ppo --help",
    ),
    Command(
        "train tune-baseline",
        "train.tune_baseline:main",
        "Search good parameters of scripted baselines on training seeds, and store them for comparisons.",
        "hft-gym train tune-baseline glft --env.market reactive",
    ),
    Command(
        "compare",
        "train.compare:main",
        "Play baselines and trained agents on the same held-out seeds; one honest table.",
        "hft-gym compare --help",
    ),
    Command(
        "runs list",
        "hft_gym.cli_runs:show_list",
        "List the evaluations that are stored: when, what, which policy came first.",
        "hft-gym runs list",
    ),
    Command(
        "runs show",
        "hft_gym.cli_runs:show_run",
        "Show one of them: results with intervals, flags, configuration, versions and command.",
        "hft-gym runs show 20260102-1530",
    ),
    Command(
        "runs compare",
        "hft_gym.cli_runs:compare_runs",
        "Hold two of them side by side: what was set differently, and what came out.",
        "hft-gym runs compare 20260102-1530 20260103-0915",
    ),
    Command(
        "runs sql",
        "hft_gym.cli_runs:ask",
        "Ask all of them in SQL: the tables runs, metrics and episodes.",
        'hft-gym runs sql "SELECT policy, avg(net_pnl) FROM episodes GROUP BY 1"',
    ),
    Command(
        "baselines",
        "hft_gym.cli_info:show_baselines",
        "List the scripted strategies and their parameters.",
        "hft-gym baselines",
    ),
    Command(
        "envs",
        "hft_gym.cli_info:show_envs",
        "List the environments; with an id, print its data sheet.",
        "hft-gym envs HFTMarket-v0",
    ),
    Command(
        "presets",
        "hft_gym.cli_info:show_presets",
        "List the markets that have a name: what each is, and the paper it is from.",
        "hft-gym presets",
    ),
    Command(
        "realism",
        "hft_gym.realism.command:main",
        "Compare a simulated market with real data: stylised facts, LOB-Bench scores, pictures.",
        "hft-gym realism --market default --against AMZN_2012-06-21_..._message_5.csv",
    ),
    Command(
        "data convert",
        "hft_gym.cli_data:convert",
        "Convert recorded data (LOBSTER, ITCH, Databento, Binance, Coinbase) into one Parquet format.",
        "hft-gym data convert DAY.itch --symbols AAPL -o aapl.parquet",
    ),
    Command(
        "data inspect",
        "hft_gym.cli_data:inspect",
        "Show what a converted file holds, or run SQL over it.",
        "hft-gym data inspect aapl.parquet",
    ),
    Command(
        "data validate",
        "hft_gym.cli_data:validate",
        "Check recorded data: gaps, crossed books, unknown orders, truncation; with file, row and value.",
        "hft-gym data validate DAY.itch --symbols AAPL",
    ),
    Command(
        "data replay",
        "hft_gym.cli_data:replay",
        "Replay recorded data through the compiled book and measure how faithful it is.",
        "hft-gym data replay aapl.parquet",
    ),
    Command(
        "serve-feed",
        "hft_gym.cli_feed:serve",
        "Serve a data feed (simulated, recorded or live) over WebSockets.",
        "hft-gym serve-feed --symbols AAPL MSFT",
    ),
    Command(
        "watch-feed",
        "hft_gym.cli_feed:watch",
        "Show what a data feed says, in the terminal; --record keeps it as Parquet.",
        "hft-gym watch-feed mock:// --symbols AAPL --seconds 5",
    ),
    Command(
        "dashboard",
        "hft_gym.cli_dashboard:main",
        "Watch and trade live markets in a browser: strategies and agents side by side, and yourself.",
        "hft-gym dashboard --strategy microprice-maker --strategy market-making",
    ),
    Command(
        "paper",
        "hft_gym.cli_live:paper",
        "Let baselines and trained agents trade on any data feed with paper money; stopped and resumed at will.",
        "hft-gym paper --feed mock --strategy market-making join-touch --seconds 60 --speed 10",
    ),
    Command(
        "calibrate",
        "hft_gym.calibration.command:main",
        "Fit an order-flow model to real data; estimates with errors, residual check, a market as a file.",
        "hft-gym calibrate MSFT_2012-06-21_..._message_50.csv --model queue-reactive -o market.toml",
    ),
    Command(
        "bench",
        "hft_gym.bench.command:main",
        "Measure the speed of books, environments and training here; a table and a JSON file.",
        "hft-gym bench --quick",
    ),
    Command(
        "compile",
        "hft_gym.cli_info:compile_kernels",
        "Compile the market's kernels into the cache now, so that nothing waits for it later.",
        "hft-gym compile",
    ),
    Command(
        "version",
        "hft_gym.cli_info:show_versions",
        "Print versions, where things are installed, and anything that looks wrong.",
        "hft-gym version",
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command named by *argv* (default: the process's arguments) and return its exit status.

    Before the command may stand ``--log-level LEVEL``, ``--log-style text|json`` and ``--log-path FILE``, the settings
    of `hft_gym.setup_main_logger`; what commands print on stdout is no part of the log.

    The statuses are those of ``grep`` and ``diff``: 0 is success, 1 that the command ran and found fault (an issue in
    ``data validate``, a damaged part in ``runs list`` or ``runs sql``, a check missed in ``data replay`` or ``realism
    --checks``, a benchmark row that failed), 2 that it could not be carried out: a word, name, file or setting that is
    wrong, an extra that is not installed. One line on stderr then says why. 130 is an interruption, 141 a reader of the
    output that went away.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        arguments = set_up_log(arguments)
    except HFTGymError as error:
        print(f"hft-gym: {error}", file=sys.stderr)
        return 2
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print_help(COMMANDS)
        return 0
    if arguments[0] == "--version":
        arguments[0] = "version"
    command, rest = find(arguments)
    if command is None:
        return reject(arguments)
    return run(command, rest)


def set_up_log(arguments: Sequence[str]) -> list[str]:
    """Set the log up as the options before the command say, warnings without any; returns the words after them.

    Raises:
        ConfigError: an unknown option or value.
    """
    settings = {"level": "WARNING"}
    words = list(arguments)
    while words and words[0].startswith("--log"):
        option, equals, value = words.pop(0).partition("=")
        if option.removeprefix("--log-") not in LOG_OPTIONS:
            raise ConfigError(f"option {option!r}{did_you_mean(option, [f'--log-{name}' for name in LOG_OPTIONS])}")
        if not equals and not words:
            raise ConfigError(f"option {option} needs a value")
        settings[option.removeprefix("--log-")] = value if equals else words.pop(0)
    setup_main_logger(**settings)  # type: ignore[arg-type]  # it says what is allowed
    return words


def find(arguments: Sequence[str]) -> tuple[Command | None, list[str]]:
    """The command that *arguments* begin with, and the arguments after it."""
    for command in COMMANDS:
        words = command.words.split()
        if list(arguments[: len(words)]) == words:
            return command, list(arguments[len(words) :])
    return None, list(arguments)


def reject(arguments: Sequence[str]) -> int:
    """Answer a command that does not exist: a group shows its members, a typo what may have been meant."""
    members = {c.words.partition(" ")[2]: c for c in COMMANDS if c.words.split()[0] == arguments[0]}
    if members and (len(arguments) == 1 or arguments[1] in ("-h", "--help")):
        print_help(list(members.values()))
        return 0
    if members:
        print(
            f"hft-gym {arguments[0]}: no command {arguments[1]!r}{did_you_mean(arguments[1], list(members))}",
            file=sys.stderr,
        )
        return 2
    names = [c.words for c in COMMANDS]
    close = difflib.get_close_matches(" ".join(arguments[:2]), names, n=1, cutoff=0.5)
    close = close or difflib.get_close_matches(arguments[0], names, n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]!r}?" if close else f"; the commands are {', '.join(names)}"
    print(f"hft-gym: no command {arguments[0]!r}{hint}", file=sys.stderr)
    return 2


def run(command: Command, rest: Sequence[str]) -> int:
    """Call *command* with *rest* as its arguments; expected failures become one line instead of a trace."""
    before = sys.argv
    sys.argv = [f"hft-gym {command.words}", *rest]
    try:
        with needing_extras():
            function = command.function()
            if command.target.partition(".")[0] in UPPER_PACKAGES:
                admit_current_folder()
            result = function()
        sys.stdout.flush()
    except HFTGymError as error:
        print(f"hft-gym {command.words}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"hft-gym {command.words}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever read the output, `head` say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:  # a file or folder that was named cannot be used; without a name it is a bug of ours
        if error.filename is None:
            raise
        print(f"hft-gym {command.words}: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    except SystemExit as stop:
        if isinstance(stop.code, str):
            print(stop.code, file=sys.stderr)
            return 1
        return stop.code or 0
    finally:
        sys.argv = before
    return result if isinstance(result, int) else 0


def load(module: str) -> ModuleType:
    """Import *module*; one of the upper packages only after making sure that it is ours.

    Raises:
        CommandError: another package of the same name hides ours, or ours is not installed.
        ModuleNotFoundError: the module needs something that is not installed (see `hft_gym.extras`).
    """
    top = module.partition(".")[0]
    if top in UPPER_PACKAGES:
        problem = shadowing(top)
        if problem:
            raise CommandError(problem)
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise CommandError(
            f"{module} is not in the {top!r} at {location(top)}{_owners(top)}; install hft_gym again: "
            "pip install --force-reinstall --no-deps hft_gym"
        ) from error


def admit_current_folder() -> None:
    """Let ``my_module:MyStrategy`` name a file of the current folder, as with ``python -m``.

    The folder comes last, and only after our packages are loaded, so that nothing in it hides them.
    """
    for package in UPPER_PACKAGES:
        load(package)
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.append(folder)


def shadowing(package: str) -> str | None:
    """Why importing the upper *package* would not give ours, and how to mend it; None if it would."""
    ours = Path(__file__).resolve().parent.parent
    found = location(package)
    if found is None:
        return f"the package {package!r} that comes with hft_gym is missing; install hft_gym again"
    if found.parent == ours:
        others = overwriting(package, ours)
        return others and (
            f"files of the package {package!r} at {found} were overwritten by the distribution {others}, which has a "
            f"package of that name too. Mend it: use a virtual environment for hft_gym alone, or uninstall {others} "
            "and install hft_gym again: pip install --force-reinstall --no-deps hft_gym"
        )
    return (
        f"the package {package!r} at {found}{_owners(package)} hides the one that comes with hft_gym "
        f"({ours / package}). Mend it: run the command from another folder if that one is in yours, else "
        f"take it off the path or uninstall it, or use a virtual environment for hft_gym alone"
    )


def overwriting(package: str, folder: Path) -> str | None:
    """The distributions installed into *folder* after ours that replaced files of our *package*; None if none did.

    Two wheels may bring the same file: pip lets the later one win, and says nothing.
    """
    installed = list(metadata.distributions(path=[str(folder)]))
    ours = [d for d in installed if d.name.replace("-", "_") == "hft_gym"]
    changed = set()
    for file in (f for d in ours for f in d.files or () if f.parts[0] == package):
        if file.hash is None:
            continue
        path = folder / file
        digest = hashlib.new(file.hash.mode, path.read_bytes()).digest() if path.is_file() else b""
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != file.hash.value:
            changed.add(str(file))
    if not changed:
        return None
    others = {d.name for d in installed if d not in ours and changed & {str(f) for f in d.files or ()}}
    return ", ".join(sorted(others)) or None


def location(package: str) -> Path | None:
    """Folder that ``import package`` would load, without importing it; None if there is none."""
    loaded = sys.modules.get(package)
    spec = loaded.__spec__ if loaded is not None else util.find_spec(package)
    if spec is None:
        return None
    if spec.origin is not None:
        file = Path(spec.origin).resolve()
        return file.parent if file.stem == "__init__" else file
    return Path(next(iter(spec.submodule_search_locations or ["?"]))).resolve()


def _owners(package: str) -> str:
    """`` (of the distribution X)``, if installed distributions other than ours say they bring *package*."""
    others = sorted(set(metadata.packages_distributions().get(package, [])) - {"hft_gym", "hft-gym"})
    return f" (of the distribution {', '.join(others)})" if others else ""


def print_help(commands: Sequence[Command]) -> None:
    """Print what *commands* do, with an example each and where to begin."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    console.print("[bold]hft-gym[/bold]: a limit-order-book market for reinforcement learning\n")
    console.print(
        "usage: hft-gym [--log-level LEVEL] [--log-style json] COMMAND [options]     (COMMAND --help explains them)\n",
        markup=False,
    )
    table = Table(box=None, show_header=False, padding=(0, 2))
    table.add_column(no_wrap=True, style="bold")
    table.add_column()
    for command in commands:
        table.add_row(command.words, f"{command.summary}\n[dim]$ {command.example}[/dim]")
    console.print(table)
    if len(commands) == len(COMMANDS):
        console.print("\nNew here? `hft-gym demo` shows the whole path in under two minutes. In Python:\n")
        console.print("    import gymnasium, hft_gym\n    env = gymnasium.make('HFTMarket-v0')", markup=False)
