"""``import hft_gym``: what it loads, what it offers, what it registers."""

import doctest
import importlib
import sys
import warnings

import gymnasium
import pytest

import hft_gym

HEAVY = ("torch", "numba", "llvmlite", "pandas", "plotly", "PIL", "stable_baselines3", "rich", "tyro")


def test_import_loads_nothing_heavy(python, record_property):
    done = python(
        "import sys, time\n"
        "t = time.perf_counter()\n"
        "import hft_gym\n"
        "print(time.perf_counter() - t)\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules])\n"
    )
    assert done.returncode == 0, done.stderr
    seconds, loaded = done.stdout.splitlines()
    # The time depends on the machine's load: reported here, measured by `make bench`.
    record_property("import_seconds", seconds)
    print(f"import hft_gym took {float(seconds):.3f} s")
    assert loaded == "[]"


@pytest.mark.parametrize("name", hft_gym.__all__)
def test_every_public_name_loads_and_is_documented(name):
    value = getattr(hft_gym, name)
    assert value is getattr(hft_gym, name)
    assert name in dir(hft_gym)
    if isinstance(value, type):
        assert value.__doc__


def test_the_table_of_homes_agrees_with_the_public_names():
    assert set(hft_gym._HOMES) == set(hft_gym.__all__) - {"__version__"}


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="OrderBok"):
        hft_gym.OrderBok  # noqa: B018


def test_registration_is_idempotent_and_silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        importlib.reload(hft_gym)
    assert "HFTMarket-v0" in gymnasium.registry


def test_registration_is_made_of_strings_and_has_no_step_limit():
    spec = gymnasium.spec("HFTMarket-v0")
    assert isinstance(spec.entry_point, str) and isinstance(spec.vector_entry_point, str)
    assert spec.max_episode_steps is None
    assert gymnasium.envs.registration.EnvSpec.from_json(spec.to_json()) == spec


def test_docstring_runs():
    assert doctest.testmod(hft_gym).failed == 0


def test_version_is_the_installed_one():
    from importlib.metadata import version

    assert version("hft_gym") == hft_gym.__version__
    assert sys.version_info >= (3, 11)
