"""``python -m benchmarks.feed_faults``: its table, and that it notices a row that is not as expected."""



from benchmarks import feed_faults
from tests.data_files import ROOT


def test_the_table(capsys):
    assert feed_faults.main(["none", "gap", "slow snapshot"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6 and all(line.count("|") == 6 for line in lines)
    none, gap, slow, control = lines[2:]
    assert "| 1 snapshot; " in none and "| 2 snapshots; " in none
    assert gap.count("1 gap") == 3 and gap.count(" 0 wrong") == 3
    assert slow.count("–") == 2
    assert "control" in control and " 0 wrong" not in control
    assert feed_faults.main(["gapp"]) == 2


def test_what_is_not_as_expected_is_told(monkeypatch, capsys):
    async def blind(fault):
        return 10, 2, dict.fromkeys(feed_faults.COUNTED, 0)

    sources = {"blind": (blind, feed_faults.OUR_FAULTS, ())}
    monkeypatch.setattr(feed_faults, "SOURCES", sources)
    assert feed_faults.main(["cut"]) == 1
    told = capsys.readouterr().err
    assert "blind, cut: connections 0, not 2" in told and "blind, cut: wrong books" in told


def test_the_page_shows_every_fault():
    page = (ROOT / "docs" / "feeds.md").read_text()
    for fault, expected in feed_faults.EXPECTED.items():
        assert f"| {fault} | {expected} |" in page
