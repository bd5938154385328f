"""The command ``hft-gym``: help that teaches, errors that say how to mend them, any folder."""

import base64
import hashlib
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from hft_gym import cli

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = Path(sys.executable).with_name("hft-gym")


def exists(module):
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        return False
    return spec is not None and spec.origin is not None


def installed(command):
    return pytest.mark.skipif(
        not exists(command.target.partition(":")[0]), reason=f"{command.target} is missing"
    )


def test_help_names_every_command_and_an_example(capsys):
    assert cli.main([]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for command in cli.COMMANDS:
        assert command.words in text
        assert " ".join(command.example.split()) in text
    assert "gymnasium.make('HFTMarket-v0')" in text
    assert cli.main(["--help"]) == 0


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["trian", "ppo"], "'train ppo'"),
        (["compre"], "'compare'"),
        (["benhc"], "'bench'"),
        (["xyzzy"], "the commands are demo"),
        (["runs", "lst"], "hft-gym runs: no command 'lst'; did you mean 'list'? Allowed: list, show, compare, sql"),
        (["data", "xyzzy"], "no command 'xyzzy'. Allowed: convert, inspect, validate, replay"),
    ],
)
def test_a_typo_is_answered_with_what_was_meant(capsys, typed, meant):
    assert cli.main(typed) == 2
    assert meant in capsys.readouterr().err


def test_a_group_alone_shows_its_members(capsys):
    assert cli.main(["train"]) == 0
    text = capsys.readouterr().out
    assert "train ppo" in text and "compare" not in text


@pytest.mark.parametrize("command", [pytest.param(c, marks=installed(c), id=c.words) for c in cli.COMMANDS])
def test_every_command_explains_itself(capsys, command):
    assert cli.main([*command.words.split(), "--help"]) == 0
    text = capsys.readouterr().out
    assert f"usage: hft-gym {command.words}" in text
    assert len(text.splitlines()) > 3


def test_a_wrong_option_is_status_2(capsys):
    assert cli.main(["version", "--no-such-option"]) == 2


@pytest.fixture
def failing(monkeypatch):
    """A command table of one command, ``do``, that raises what is given."""

    def install(error):
        def raise_it():
            raise error

        monkeypatch.setattr(cli, "COMMANDS", (cli.Command("do", "nowhere:at_all", "Fail.", "hft-gym do"),))
        monkeypatch.setattr(cli, "load", lambda module: SimpleNamespace(at_all=raise_it))

    return install


@pytest.mark.parametrize(
    ("module", "extra"), [("torch", "train"), ("stable_baselines3.common", "train"), ("plotly", "plot")]
)
def test_a_missing_extra_prints_the_command_that_brings_it(capsys, failing, module, extra):
    failing(ModuleNotFoundError(f"No module named {module!r}", name=module))
    assert cli.main(["do"]) == 2
    assert f'{module.partition(".")[0]} is not installed; mend it with:  ' in (text := capsys.readouterr().err)
    assert f'[{extra}]"' in text and "Traceback" not in text


def test_a_missing_module_of_our_own_is_a_bug_and_shows_its_trace(failing):
    failing(ModuleNotFoundError("No module named 'hft_gym.oops'", name="hft_gym.oops"))
    with pytest.raises(ModuleNotFoundError):
        cli.main(["do"])


def test_our_errors_are_one_line_without_a_trace(capsys, failing):
    from hft_gym.errors import ConfigError, DataError

    failing(DataError("size is -3; allowed are sizes above 0", "day.csv", 17, -3))
    assert cli.main(["do"]) == 2
    assert capsys.readouterr().err == "hft-gym do: day.csv, row 17: size is -3; allowed are sizes above 0\n"
    failing(ConfigError("no such thing"))
    assert cli.main(["do"]) == 2


def test_a_file_that_cannot_be_used_is_one_line_with_its_name(capsys, failing):
    failing(NotADirectoryError(20, "Not a directory", "notes.txt/runs"))
    assert cli.main(["do"]) == 2
    assert capsys.readouterr().err == "hft-gym do: notes.txt/runs: Not a directory\n"
    failing(OSError("of no file"))
    with pytest.raises(OSError, match="of no file"):
        cli.main(["do"])


def test_interruption_is_status_130(capsys, failing):
    failing(KeyboardInterrupt())
    assert cli.main(["do"]) == 130


def test_a_reader_that_goes_away_is_status_141_without_a_trace():
    words = [sys.executable, "-m", "hft_gym", "version"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141


def test_arguments_are_restored(failing):
    before = list(sys.argv)
    failing(KeyboardInterrupt())
    cli.main(["do"])
    assert sys.argv == before


def stranger(folder, name):
    """Another project's package *name* in *folder*."""
    package = folder / name
    package.mkdir()
    (package / "__init__.py").write_text("")
    return package


@pytest.mark.parametrize("name", cli.UPPER_PACKAGES)
def test_a_package_that_hides_ours_is_named_with_the_way_out(python, tmp_path, name):
    package = stranger(tmp_path, name)
    done = python(f"from hft_gym import cli; print(cli.shadowing({name!r}))", cwd=tmp_path)
    assert str(package) in done.stdout
    assert "run the command from another folder" in done.stdout


def wheel(folder, name, files):
    """Install a distribution with *files* (path: text) into *folder*, as pip does."""
    about = folder / f"{name}-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    record = []
    for path, text in files.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text)
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record.append(f"{path},sha256={digest},{len(text)}")
    (about / "RECORD").write_text("\n".join(record) + "\n")


def test_a_distribution_that_overwrites_ours_is_named(tmp_path, monkeypatch):
    """Two wheels with a package ``agents`` in one folder: the later one's files win."""
    first, second = tmp_path / "first", tmp_path / "second"
    ours = {"hft_gym/cli.py": "", "agents/__init__.py": "ours", "agents/agent.py": "ours", "agents/files.py": "ours"}
    theirs = {"agents/__init__.py": "theirs", "agents/agent.py": "theirs"}
    wheel(first, "hft_gym", ours)
    assert cli.overwriting("agents", first) is None
    wheel(first, "other-agents", theirs)
    assert cli.overwriting("agents", first) == "other-agents" and cli.overwriting("hft_gym", first) is None
    wheel(second, "other-agents", theirs)
    wheel(second, "hft_gym", ours)  # ours came later: ours works
    assert cli.overwriting("agents", second) is None
    (second / "agents" / "files.py").write_text("edited by hand")
    assert cli.overwriting("agents", second) is None
    monkeypatch.setattr(cli, "__file__", str(first / "hft_gym" / "cli.py"))
    monkeypatch.setattr(cli, "location", lambda package: first / package)
    problem = cli.shadowing("agents")
    assert "overwritten by the distribution other-agents" in problem and "uninstall other-agents" in problem


def test_a_hidden_package_stops_the_command_only_where_it_is_needed(tmp_path):
    stranger(tmp_path, "train")
    hidden = [sys.executable, "-m", "hft_gym"]
    done = subprocess.run([*hidden, "compare"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "hides the one that comes with hft_gym" in done.stderr and "Traceback" not in done.stderr
    done = subprocess.run([*hidden, "version"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "WARNING: the package 'train'" in done.stdout


def test_the_console_command_is_not_fooled_by_the_folder(tmp_path):
    for name in cli.UPPER_PACKAGES:
        stranger(tmp_path, name)
    done = subprocess.run([SCRIPT, "version"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "hides" not in done.stdout


def test_a_strategy_of_the_current_folder_can_be_named(tmp_path):
    for name in cli.UPPER_PACKAGES:
        stranger(tmp_path, name)
    (tmp_path / "my_module.py").write_text(
        "import baselines\nclass MyStrategy(baselines.Strategy):\n"
        "    decide = None\n    def __init__(self):\n        raise SystemExit('found and built')\n"
    )
    done = subprocess.run(
        [SCRIPT, "compare", "--policies", "my_module:MyStrategy", "--episodes", "2"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "found and built" in done.stderr


def test_module_and_console_command_are_the_same(tmp_path):
    answers = [
        subprocess.run([*way, "--help"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        for way in ([SCRIPT], [sys.executable, "-m", "hft_gym"])
    ]
    assert answers[0] == answers[1]


def test_version_tells_versions_and_the_cache(capsys):
    assert cli.main(["--version"]) == 0
    text = capsys.readouterr().out
    for needed in ("hft_gym 0", "Python 3", "numba", "kernel cache"):
        assert needed in text


def test_help_is_quick_to_load(python):
    done = python(
        "import sys; from hft_gym.cli import main; main([])\n"
        "print([m for m in ('numba', 'torch', 'pandas') if m in sys.modules])"
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.skipif(not exists("hft_gym.envs.single"), reason="hft_gym.envs.single is missing")
def test_envs_lists_and_prints_the_data_sheet(capsys):
    assert cli.main(["envs"]) == 0
    assert "HFTMarket-v0" in capsys.readouterr().out
    assert cli.main(["envs", "HFTMarket-v0"]) == 0
    assert "observation_space" in capsys.readouterr().out
    assert cli.main(["envs", "HFTMarkt-v0"]) == 2
    assert "no environment 'HFTMarkt-v0'; did you mean 'HFTMarket-v0'?" in capsys.readouterr().err


def test_presets_are_listed_with_their_papers(capsys, monkeypatch):
    from hft_gym.flow import PRESETS

    monkeypatch.setenv("COLUMNS", "200")
    assert cli.main(["presets"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name in PRESETS:
        assert any(line.split()[:1] == [name] and len(line.split()) > 4 for line in lines), name
    text = " ".join(" ".join(lines).split())
    for paper in ("Stoikov and Talreja (2010", "Huang, Lehalle and Rosenbaum 2015", "Smith, Farmer", "2110.14771"):
        assert paper in text


@pytest.mark.parametrize(
    "words",
    [
        ["envs", "Nothing-v0"],
        ["compare", "--policies", "nothing"],
        ["compare", "--policies", "runs/nothing/agent"],
        ["compare", "--env.market", "nothing"],
        ["compare", "--env.levles", "3"],
        ["compare", "--env.feed", "nothing.csv"],
        ["realism", "--market", "nothing"],
        ["realism", "--against", "nothing.csv"],
        ["calibrate", "nothing.csv"],
        ["calibrate", "nothing.csv", "--model", "nothing"],
        ["data", "validate", "nothing.csv"],
        ["data", "inspect", "nothing.parquet"],
        ["bench", "--only", "nothing"],
        ["nothing"],
    ],
    ids=" ".join,
)
def test_every_mistake_is_status_2(capsys, words):
    assert cli.main(words) == 2
    error = capsys.readouterr().err
    assert "noth" in error.lower() or "levles" in error
    assert "Traceback" not in error


@pytest.mark.skipif(not exists("baselines"), reason="baselines is missing")
def test_baselines_are_listed(capsys):
    import baselines

    assert cli.main(["baselines"]) == 0
    text = capsys.readouterr().out
    for name in baselines.names():
        assert name in text


@pytest.mark.skipif(not exists("hft_gym.envs.core"), reason="hft_gym.envs.core is missing")
def test_compile_says_where_and_how_long(capsys):
    assert cli.main(["compile"]) == 0
    text = capsys.readouterr().out
    assert "kernels" in text and " s" in text
