"""The tables of docs/results: made once, kept while nothing changes, and the page is that of the parts."""

import pytest

from baselines import tuned
from hft_gym.envs.config import EnvConfig
from hft_gym.errors import ConfigError
from hft_gym.market import MarketConfig
from hft_gym.report.markdown import comparison_markdown
from hft_gym.report.store import Store
from train import results
from train.results import TABLES, ResultsOptions, Table, holds, main, page

TINY = Table("poisson", "The market `poisson`", ("--policies", "do-nothing", "join-touch", "--env.market", "poisson",
             "--env.episode-steps", "40", "--resamples", "100", "--sensitivity", "fees"))  # fmt: skip


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    monkeypatch.setattr(results, "TABLES", (TINY, TABLES[-1]))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "page.md").write_text("Before\n\n<!-- table poisson, run 1 -->\n| a |\n|---|\n\nAfter | |\n")
    return ["--out", "out", "--pages", "page.md", "--no-tune", "--episodes", "3"]


def test_a_table_is_made_once(tiny, tmp_path, capsys):
    main(tiny)
    (part,) = Store("out/parts").parts
    said = capsys.readouterr().out
    assert "poisson: " in said and "goog-2012-06-21: left as it is" in said
    text = (tmp_path / "out" / "baselines.md").read_text()
    assert f"<!-- table poisson, run {part.id} -->\n{comparison_markdown(part.record)}\n" in text
    assert "hft-gym compare --policies do-nothing join-touch --env.market poisson" in text and "### Fees" in text
    assert part.table("episodes") is None and part.table("metrics") is not None
    noted = text.replace("<!-- notes -->\n", "<!-- notes -->\nMakers earn the spread.\n")
    (tmp_path / "out" / "baselines.md").write_text(noted)
    main(tiny)
    assert "there already" in capsys.readouterr().out
    assert (tmp_path / "out" / "baselines.md").read_text() == noted  # what was written by hand is kept
    assert page(Store("out/parts").parts, "<!-- notes -->\nMakers earn the spread.\n<!-- end of notes -->\n") == noted
    shown = (tmp_path / "page.md").read_text()
    table = f"<!-- table poisson, run {part.id} -->\n{comparison_markdown(part.record)}\n"
    assert shown == f"Before\n\n{table}\nAfter | |\n"
    main([*tiny[:-1], "4"])
    (other,) = Store("out/parts").parts  # in the place of the first
    assert other.id != part.id and other.record["episodes"] == 4


def test_what_is_stored_is_checked_by_playing_it():
    config = EnvConfig(market=MarketConfig.named("poisson"))
    record = tuned.record("join-touch", config)
    assert holds(record, config)
    assert not holds({**record, "net_pnl": {**record["net_pnl"], "value": record["net_pnl"]["value"] + 0.01}}, config)
    assert not holds({**record, "parameters": {**record["parameters"], "max_position": 1}}, config)


def test_the_words_of_every_table_are_options():
    from train.compare import CompareOptions
    from train.options import parse

    for table in TABLES:
        if not table.day:
            asked = parse(CompareOptions, list(table.words))
            assert asked.policies == (results.FEW if table.name == "settings" else ("all",))
    with pytest.raises(ConfigError, match="unknown table 'poison'; did you mean 'poisson'"):
        ResultsOptions(only=("poison",))
