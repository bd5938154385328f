"""The makers of Avellaneda-Stoikov, Guéant-Lehalle-Fernandez-Tapia and Cartea-Jaimungal in the market: what they
estimate goes into the published formulas, and comes out as quotes."""

import numpy as np
import pytest

import baselines
from baselines.closed_forms import CarteaJaimungal, avellaneda_stoikov, glft_depths
from tests.baselines.fakes import FakeEnv
from tests.baselines.test_makers_and_takers import depths, look, play

NAMES = ("avellaneda-stoikov", "glft", "cartea-jaimungal")
PRIOR = {"sigma": 1.0, "k": 0.7}  # of a market whose usual spread is one tick; A is 2


@pytest.fixture
def env():
    return FakeEnv()


@pytest.mark.parametrize("name", NAMES)
def test_long_makers_quote_lower_and_short_ones_higher(name, env):
    maker = baselines.make(name, env)
    flat, long, short = (depths(maker, look(inventory=q)) for q in (0, 6, -6))
    assert flat[0] == pytest.approx(flat[1]) and flat[0] > 0
    assert long[0] > flat[0] and long[1] < flat[1]
    assert short == pytest.approx(long[::-1])


@pytest.mark.parametrize("name", NAMES)
def test_makers_stop_the_growing_side_at_their_limit(name, env):
    maker = baselines.make(name, env, max_position=4)
    wish, _ = play(maker, [look(inventory=4)])
    assert wish.bid_size[0] == 0 and wish.ask_size[0] == 1


@pytest.mark.parametrize("q", [-3, 0, 7])
def test_avellaneda_stoikov_is_the_closed_form(q, env):
    maker = baselines.make("avellaneda-stoikov", env, gamma=0.02, horizon_s=50.0)
    expected = avellaneda_stoikov.depths(q, 0.4 * 50.0, 0.02, **PRIOR)
    assert depths(maker, look(inventory=q, time_left=0.4)) == pytest.approx(expected)
    # By hand: half of gamma sigma² (T - t) + (2 / gamma) ln(1 + gamma / k), and q gamma sigma² (T - t).
    half = 0.5 * 0.02 * 20.0 + np.log(1.0 + 0.02 / 0.7) / 0.02
    assert expected[0] == pytest.approx(half + q * 0.02 * 20.0)


def test_ho_stoll_is_the_case_of_small_risk_aversion(env):
    """`dealer="ho-stoll"` is what Avellaneda-Stoikov tends to while gamma sigma² T is kept."""
    gaps = []
    for gamma in (0.1, 0.01, 0.001):
        settings = {"gamma": gamma, "horizon_s": 1.0 / gamma}
        quotes = [
            depths(baselines.make("avellaneda-stoikov", env, **settings, dealer=d), look(inventory=2))
            for d in ("ho-stoll", "avellaneda-stoikov")
        ]
        assert quotes[0] == pytest.approx((1 / 0.7 + 0.5 + 2.0, 1 / 0.7 + 0.5 - 2.0))
        gaps.append(abs(quotes[0][0] - quotes[1][0]))
    assert gaps[0] > 9 * gaps[1] > 81 * gaps[2] > 0


@pytest.mark.parametrize("q", [-3, 0, 7])
def test_glft_is_the_closed_form(q, env):
    maker = baselines.make("glft", env, gamma=0.05)
    expected = glft_depths(q, arrival_rate=2.0, gamma=0.05, **PRIOR)
    assert depths(maker, look(inventory=q)) == pytest.approx(expected)


def test_adverse_fills_widen_the_quotes_of_glft(env):
    """Every buy before a fall and every sell before a rise."""
    bad = [look(bought=1, mid_change=-1.0), look(sold=1, mid_change=1.0)] * 20
    good = [look(bought=1, mid_change=1.0), look(sold=1, mid_change=-1.0)] * 20
    calm = sum(depths(baselines.make("glft", env), *good))
    charged = [sum(depths(baselines.make("glft", env, adverse_weight=w), *bad)) for w in (0.0, 1.0, 2.0)]
    assert charged[0] == pytest.approx(calm)  # the moves alone are the same
    assert charged[0] < charged[1] < charged[2]


@pytest.mark.parametrize("name", ["avellaneda-stoikov", "glft"])
def test_quotes_widen_with_volatility(name, env):
    maker = baselines.make(name, env, gamma=0.05)
    widths = [sum(depths(maker, *[look(mid_change=m, elapsed=1.0)] * 40)) for m in (0.0, 1.0, 4.0)]
    assert widths[0] < widths[1] < widths[2]


@pytest.mark.parametrize("name", NAMES)
def test_quotes_come_nearer_where_deep_ones_are_not_reached(name, env):
    """Takers of one lot never pass the touch; those of 30 sweep it: k falls, and quotes go out."""
    maker = baselines.make(name, env, queue_share=0.0)
    small, large = (
        sum(depths(maker, *[look(buy_volume=v, sell_volume=v)] * 300)) for v in (1.0, 30.0)
    )
    assert small < large


def test_avellaneda_stoikov_narrows_towards_the_end(env):
    maker = baselines.make("avellaneda-stoikov", env)
    widths = [sum(depths(maker, look(time_left=t))) for t in (1.0, 0.5, 0.0)]
    assert widths[0] > widths[1] > widths[2] > 0


@pytest.mark.parametrize("left", [1.0, 0.3, 0.0])
def test_cartea_jaimungal_is_the_closed_form_at_rounded_estimates(left, env):
    maker = baselines.make("cartea-jaimungal", env, running=0.02, terminal=0.3)
    solved = CarteaJaimungal(1.5**2, 1.15**-3, 0.02, 0.3, 100.0, 10)  # 2.25 for 2, 0.66 for 0.7
    for q in (-10, -2, 0, 5):
        got = depths(maker, look(inventory=q, time_left=left))
        want = solved.depths(q, 100.0 * left)
        finite = np.isfinite(want)
        np.testing.assert_allclose(np.array(got)[finite], np.array(want)[finite], rtol=1e-3)
        assert np.isnan(np.array(got)[~finite]).all()


def test_penalties_of_cartea_jaimungal(env):
    """The running penalty leans from the start, the terminal one near the end."""
    def lean(left, **penalties):
        maker = baselines.make("cartea-jaimungal", env, **penalties)
        bid, ask = depths(maker, look(inventory=5, time_left=left))
        return bid - ask

    none = {"running": 0.0, "terminal": 0.0}
    assert lean(1.0, **{**none, "running": 0.05}) > lean(1.0, **{**none, "running": 0.005}) > lean(1.0, **none)
    at_end = {**none, "terminal": 0.3}
    assert lean(0.0, **at_end) > lean(0.05, **at_end) > lean(1.0, **at_end)
