import io
import sys
import time
from itertools import pairwise
from typing import Any

import gymnasium
import numpy as np
import pytest

from hft_gym.envs import HFTMarketEnv, HFTMarketVectorEnv, ObservationSchema
from hft_gym.envs.render import Renderer
from tests.envs.helpers import SHORT, encoded, scripted_orders


def observation(**values: Any) -> np.ndarray:
    """A hand-made observation of a two-level book around its mid."""
    schema = ObservationSchema(2)
    x = np.zeros(len(schema), dtype=np.float32)
    base = {"bid_offset": [-0.5, -1.5], "ask_offset": [0.5, 2.5], "bid_size": [12, 7], "ask_size": [3, 40]}
    for name, value in {**base, "spread": 1, "time_left": 0.5, **values}.items():
        x[schema[name]] = value
    return x


def renderer(**values: Any) -> Renderer:
    result = Renderer(ObservationSchema(2), 0.01, "Test")
    result.record(observation(**values), mid=10000.5, net_pnl=2.5, time=50.0, start=True)
    return result


def test_ladder_shows_prices_sizes_and_own_orders() -> None:
    text = renderer(own_bid_offset=-1.5, own_bid_size=2, own_bid_ahead=7, inventory=-3).ansi()
    rows = text.splitlines()
    assert "\x1b" not in text
    assert "mid 100.005" in rows[0] and "inventory -3" in rows[0] and "+2.50" in rows[0]
    prices = [
        line.split()[0] if "█" not in line.split()[0] else line.split()[2]
        for line in rows[2:]
        if "100" in line or "99" in line
    ]
    assert prices == ["100.03", "100.01", "100.00", "99.99"]
    own = [line for line in rows if "own bid 2 (7 ahead)" in line]
    assert len(own) == 1 and "99.99" in own[0] and " 7 " in own[0]


def test_own_order_between_the_levels_gets_its_own_row() -> None:
    r = renderer(own_ask_offset=1.5, own_ask_size=4, own_ask_ahead=-1)
    assert "100.02" in r.ansi() and "own ask 4 (in flight)" in r.ansi()
    assert [row.price for row in r.frame().levels] == [10003, 10002, 10001, 10000, 9999]


def test_empty_book() -> None:
    r = renderer(bid_size=0, ask_size=0)
    assert "the book is empty" in r.ansi()
    assert r.rgb().shape == (540, 960, 3)


def test_picture_draws_what_it_should() -> None:
    plain, own = renderer().rgb(), renderer(own_bid_offset=-1.5, own_bid_size=2, own_bid_ahead=7).rgb()
    assert plain.dtype == np.uint8 and plain.shape == (540, 960, 3)
    assert plain.flags.owndata and plain.flags.writeable
    amber = (own == np.array([245, 189, 66])).all(axis=2)
    assert amber[:, :340].sum() > 100  # the own order is marked in the ladder
    assert not (plain == np.array([245, 189, 66])).all(axis=2)[:, :340].any()


def test_picture_follows_the_episode_and_starts_anew() -> None:
    env = HFTMarketEnv(render_mode="rgb_array", **SHORT)
    env.reset(seed=1)
    frames = [env.render()]
    for step in range(10):
        env.step(scripted_orders(step, 1)[0])
        frames.append(env.render())
    assert all(not np.array_equal(a, b) for a, b in pairwise(frames))
    assert env._renderer is not None and len(env._renderer.history) == 11
    env.reset()
    assert len(env._renderer.history) == 1


def test_long_episodes_keep_their_history() -> None:
    r = renderer()
    for k in range(3000):
        r.record(observation(), 10000.5 + k % 7, float(k), 50.0 + k, start=False)
    assert len(r.history) == 3001
    assert r.rgb().shape == (540, 960, 3)


def test_a_frame_is_quick() -> None:
    r = renderer()
    for k in range(1000):
        r.record(observation(bought=k % 9 == 0), 10000.5 + k % 7, float(k), 50.0 + k, start=False)
    r.rgb()
    took = []
    for _ in range(5):
        start = time.perf_counter()
        r.rgb()
        took.append(time.perf_counter() - start)
    assert min(took) < 0.05  # some 5 ms on an idle machine


def test_modes() -> None:
    for mode, kind in (("ansi", str), ("rgb_array", np.ndarray), ("human", type(None))):
        env = gymnasium.make("HFTMarket-v0", render_mode=mode, **SHORT)
        env.reset(seed=0)
        env.step(np.array([2, 2, 0]))
        assert type(env.render()) is kind
    env = HFTMarketEnv(**SHORT)
    env.reset(seed=0)
    with pytest.warns(UserWarning, match="render mode"):
        assert env.render() is None


def test_rendering_changes_no_result() -> None:
    plain, drawn = HFTMarketEnv(**SHORT), HFTMarketEnv(render_mode="rgb_array", **SHORT)
    assert plain.reset(seed=1)[0].tobytes() == drawn.reset(seed=1)[0].tobytes()
    for step in range(12):
        drawn.render()
        left, right = (e.step(scripted_orders(step, 1)[0]) for e in (plain, drawn))
        assert left[0].tobytes() == right[0].tobytes() and left[1:] == right[1:]


def test_human_mode_prints_and_refreshes_a_terminal_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for stream, refreshed in ((io.StringIO(), False), (Terminal(), True)):
        monkeypatch.setattr(sys, "stdout", stream)
        r = renderer()
        r.show()
        r.show()
        monkeypatch.undo()
        assert stream.getvalue().count("mid 100.005") == 2
        assert (f"\x1b[{r.ansi().count(chr(10))}F\x1b[J" in stream.getvalue()) is refreshed


def test_vector_frames() -> None:
    envs = HFTMarketVectorEnv(3, render_mode="ansi", **SHORT)
    singles = [HFTMarketEnv(render_mode="ansi", **SHORT) for _ in range(3)]
    envs.reset(seed=4)
    for i, env in enumerate(singles):
        env.reset(seed=4 + i)
    for step in range(5):
        orders = scripted_orders(step, 3)
        envs.step(encoded(envs, orders))
        for i, env in enumerate(singles):
            env.step(orders[i])
    frames = envs.render()
    assert frames is not None
    for i, env in enumerate(singles):
        assert frames[i].replace(f" [{i}]", "", 1) == env.render()
    pictures = HFTMarketVectorEnv(2, render_mode="rgb_array", **SHORT)
    pictures.reset(seed=0)
    drawn = pictures.render()
    assert drawn is not None and [f.shape for f in drawn] == [(540, 960, 3)] * 2
