"""Without an extra: one error, with the command that brings it, before anything is made or trained."""

import subprocess
import sys
from pathlib import Path

import pytest

from hft_gym import MissingExtraError, extras

BLOCK = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
"""


def without(absent, code, cwd):
    """The code's run in a process that cannot import the modules named *absent*."""
    program = BLOCK.format(absent=absent) + code
    return subprocess.run([sys.executable, "-c", program], cwd=cwd, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    "code",
    [
        "from agents import make_vec_env",
        "import agents; agents.load('runs/x')",
        "import agents.agent",
        "import agents.policies",
        "import agents.vec_env",
        "import train.callback",
        "import train.checkpoint",
        "from train.ppo import *; train(Options())",
    ],
)
def test_learning_without_its_extra(tmp_path, code):
    done = without(["torch", "stable_baselines3"], f"import hft_gym, agents, train\n{code}", tmp_path)
    last = done.stderr.splitlines()[-1]
    assert last.startswith("hft_gym.errors.MissingExtraError: ") and last.endswith('[train]"'), done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("module", ["pyarrow", "orjson"])
def test_conversion_without_its_extra_leaves_nothing(tmp_path, module):
    pytest.importorskip("pyarrow", reason="needs the extra data")
    source = tmp_path / "capture"
    source.write_text('1700000000000000000 {"stream": "x", "data": {"e": "trade", "s": "X"}}\n')
    before = set(tmp_path.iterdir())
    code = "from hft_gym.cli import main; sys.exit(main(['data', 'convert', 'capture', '-o', 'x.parquet']))"
    done = without([module], code, tmp_path)
    assert done.returncode == 2 and f"{module} is not installed" in done.stderr and '[data]"' in done.stderr
    assert "Traceback" not in done.stderr
    assert set(tmp_path.iterdir()) == before


def test_the_command_is_that_of_a_checkout_in_a_checkout(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.setattr(extras, "ROOT", tmp_path)
    assert extras.pip_command("data") == f'pip install -e "{tmp_path}[data]"'
    monkeypatch.chdir(tmp_path)
    assert extras.pip_command("data") == 'pip install -e ".[data]"'
    monkeypatch.setattr(extras, "ROOT", Path(tmp_path / "site-packages"))
    assert extras.pip_command("data") == 'pip install "hft_gym[data]"'


def test_only_optional_modules_are_answered_for():
    assert extras.missing("numpy") is None
    with pytest.raises(MissingExtraError, match="scipy is not installed"), extras.needing_extras():
        raise ModuleNotFoundError("No module named 'scipy.stats'", name="scipy.stats")
    with pytest.raises(ModuleNotFoundError) as found, extras.needing_extras():
        raise ModuleNotFoundError("No module named 'oops'", name="oops")
    assert not isinstance(found.value, MissingExtraError)
    assert extras.optional("math").pi > 3
