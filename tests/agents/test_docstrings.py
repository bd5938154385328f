"""The examples in the docstrings run, and every public name has one of its own."""

import doctest

import pytest

import agents
import agents.policies


@pytest.mark.parametrize("module", [agents, agents.policies], ids=lambda m: m.__name__)
def test_docstring_examples(module):
    result = doctest.testmod(module)
    assert result.attempted and not result.failed


@pytest.mark.parametrize("name", agents.__all__)
def test_public_names_load_lazily_and_are_documented(name):
    assert getattr(agents, name).__doc__ and name in dir(agents)


def test_an_unknown_name_says_what_there_is():
    with pytest.raises(AttributeError, match="make_vec_env"):
        agents.make_vec_envs  # noqa: B018


def test_torch_is_loaded_only_when_needed(python):
    done = python("import agents, sys; print('torch' in sys.modules)")
    assert done.stdout.strip() == "False", done.stderr
