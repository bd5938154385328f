# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # hft_gym, from the order book to the dashboard
#
# A market, from its smallest part to a running session. Every number and every chart below is computed by the
# library while the notebook runs; seeds are fixed, so yours are the same.
#
# 1. **Order book engine**: who trades with whom, and at what price
# 2. **Market data**: what a market says of itself, message by message
# 3. **Strategies**: a maker and a taker in the same market
# 4. **Analytics**: what was skill, what was luck, and where the money came from
# 5. **Dashboard**: a running session, and a hand of your own in it
# 6. **Summary and next steps**
#
# Each section says what to notice, and ends with an exercise. Try it before you run the solution below it.
#
# The first market of a fresh installation takes about half a minute to compile; after that, seconds.

# %%
import math

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from baselines import LiquidityTakingStrategy, MarketMakingStrategy
from hft_gym import (
    DataFeedConfig,
    ExecutionSimulator,
    MockDataFeed,
    Order,
    OrderBook,
    OrderSide,
    OrderType,
    PerformanceMetrics,
    Portfolio,
    setup_main_logger,
)

logger = setup_main_logger("INFO")  # one set-up for everything below; style="json" for machines
logger.info("hft_gym is ready")
BID, ASK, DARK = "#3fb950", "#ff7b72", {"template": "plotly_dark", "margin": {"t": 60, "b": 45, "l": 60, "r": 20}}

# %% [markdown]
# ## 1. Order book engine
#
# An order book holds the orders that have not traded yet. A **limit order** names the worst price it accepts and
# waits; a **market order** takes whatever is there. Prices move in steps, the **tick** (here one cent).

# %%
SYMBOL = "AAPL"
book = OrderBook(SYMBOL, tick_size=0.01)
waiting = [
    *((OrderSide.BID, volume, price) for volume, price in ((100, 150.95), (200, 150.90), (150, 150.85), (300, 150.80))),
    *((OrderSide.ASK, volume, price) for volume, price in ((150, 151.05), (200, 151.10), (100, 151.15), (250, 151.20))),
]
for side, volume, price in waiting:
    trades = book.add_order(Order.create_limit_order(SYMBOL, side, volume, price))
    assert trades == []  # nobody is on the other side yet

before = book.get_snapshot()
print(f"best bid {before.best_bid:.2f} x {before.best_bid_volume}")
print(f"best ask {before.best_ask:.2f} x {before.best_ask_volume}")
print(f"mid {before.mid_price:.2f}, spread {before.spread:.2f} ({before.spread_bps:.1f} basis points)")
print(f"in all: {before.total_bid_volume} to buy, {before.total_ask_volume} to sell")

# %% [markdown]
# Somebody buys 400 shares at once. The book fills the order from the best ask upwards, and the first 150 shares are
# cheaper than the last ones.

# %%
taker = Order.create_market_order(SYMBOL, OrderSide.BID, 400)
trades = book.add_order(taker)
after = book.get_snapshot()
assert taker.order_type == OrderType.MARKET
pd.DataFrame([(t.price, t.quantity) for t in trades], columns=["price", "shares"])

# %% [markdown]
# What did it cost? A book keeps no accounts. A `Portfolio` does, to the last fraction of a cent.

# %%
portfolio = Portfolio(initial_cash=100_000.0)
for trade in trades:
    portfolio.apply_fill(SYMBOL, OrderSide.BID, trade.quantity, trade.price)
portfolio.mark(SYMBOL, before.mid_price)
average = portfolio.position(SYMBOL).average_cost
print(f"average price {average:.4f}: {average - before.mid_price:.4f} above the mid before the order, for each share")
print(f"equity {portfolio.equity:,.2f}: {portfolio.equity - portfolio.initial_cash:+.2f}, marked at that mid")


# %% tags=["picture-book"]
def depth_chart(snapshots):
    """Lots that can be traded up to each price, of one or more snapshots."""
    figure = make_subplots(cols=len(snapshots), subplot_titles=list(snapshots), shared_yaxes=True)
    for column, snapshot in enumerate(snapshots.values(), 1):
        for levels, name, colour in ((snapshot.bids, "bids", BID), (snapshot.asks, "asks", ASK)):
            prices = [levels[0].price, *(level.price for level in levels)]
            lots = np.cumsum([0, *(level.volume for level in levels)])
            line = {"shape": "hv", "color": colour}
            trace = go.Scatter(x=prices, y=lots, name=name, fill="tozeroy", line=line, showlegend=column == 1)
            figure.add_trace(trace, row=1, col=column)
    figure.update_layout(**DARK, height=380, title="Depth: shares on offer up to a price")
    figure.update_xaxes(range=[150.75, 151.25], title="price")
    return figure


depth_chart({"before the market order": before, "after it": after})

# %% [markdown]
# **Notice**
#
# * The *spread* is what a round trip costs before anything has moved; a large order pays more, because it walks
#   through the levels.
# * The market order has moved the best ask and with it the mid, although no news came. That is *price impact*.
# * At one price, who came first trades first. That is why the place in the queue is worth something.
#
# **Exercise 1.** Add a bid of 200 shares at 150.95, behind the 100 that wait there. How many shares have to be sold
# at market before your first share trades? And how many if the order ahead of you is cancelled?

# %% [markdown]
# *Solution*

# %%
mine = Order.create_limit_order(SYMBOL, OrderSide.BID, 200, 150.95)
book.add_order(mine)
print("ahead of me:", book.queue_position(mine.order_id))

ahead = 1  # the first order that was added; books number their orders from 1
book.cancel_order(ahead)
print("after its cancellation:", book.queue_position(mine.order_id))
[sale] = book.add_order(Order.create_market_order(SYMBOL, OrderSide.ASK, 50))
print(f"a sale of 50 trades with order {sale.maker_order_id}, mine ({mine.order_id}), at {sale.price}")
assert sale.maker_order_id == mine.order_id

# %% [markdown]
# ## 2. Market data
#
# A feed streams what happens. `MockDataFeed` runs one simulated market a symbol; the same interface reads recorded
# days and live exchanges. `speed` is market seconds per real second: 1 is real time, and `inf` with the policy
# `block` goes as fast as we read, so that the messages are the same on every machine.

# %%
config = DataFeedConfig(
    url="mock://localhost", symbols=["AAPL", "GOOGL", "MSFT"], buffer_size=1000, policy="block", speed=math.inf, seed=7
)


async def collect(count):
    """The first messages of a feed, and what it has counted."""
    found = []
    async with MockDataFeed(config) as feed:
        async for message in feed.start_streaming():
            found.append(message)
            if len(found) == count:
                return found, feed.statistics


messages, statistics = await collect(12_000)
everything = pd.DataFrame(messages)
everything["seconds"] = everything["timestamp"] / 1e9
print(f"{statistics.delivered:,} messages in {everything['seconds'].max():.1f} s, {statistics.drops} dropped")
shown = {"messages": ("sequence", "size"), "lots": ("volume", "sum"), "bid": ("bid_price", "last")}
everything.groupby(["symbol", "kind"]).agg(**shown, ask=("ask_price", "last"))

# %% tags=["picture-feed"]
market = everything[everything["symbol"] == SYMBOL].reset_index(drop=True)
sold = market[(market["volume"] > 0) & (market["side"] == OrderSide.ASK)]
bought = market[(market["volume"] > 0) & (market["side"] == OrderSide.BID)]
figure = go.Figure()
for column, name, colour in (("ask_price", "best ask", ASK), ("bid_price", "best bid", BID)):
    line = {"shape": "hv", "color": colour, "width": 1}
    figure.add_trace(go.Scatter(x=market["seconds"], y=market[column], name=name, line=line))
for part, name, symbol, colour in (
    (bought, "buyer took", "triangle-up", BID),
    (sold, "seller took", "triangle-down", ASK),
):
    marker = {"symbol": symbol, "color": colour, "size": 6 + 2 * np.sqrt(part["volume"].astype(float))}
    figure.add_trace(go.Scatter(x=part["seconds"], y=part["price"], name=name, mode="markers", marker=marker))
figure.update_layout(**DARK, height=420, title=f"{SYMBOL}: best quotes and trades")
figure.update_layout(xaxis_title="seconds", yaxis_title="price")
figure

# %% [markdown]
# **Notice**
#
# * Most messages tell of orders that come and go; few tell of trades.
# * Buyers trade at the ask, sellers at the bid: part of what looks like movement of the last price is only this
#   bounce.
# * A message stands alone: it brings the book as it is. Whoever misses ten of them is right again with the eleventh.
#
# **Exercise 2.** For which share of the time was the spread of AAPL one tick? Counting messages gives another answer
# than counting time; why, and which one is right?

# %% [markdown]
# *Solution.* Messages come in bursts when something happens, so that counting them counts busy moments several times.
# What somebody who looks at a random moment sees is the share of time.

# %%
ticks = ((market["ask_price"] - market["bid_price"]) / 0.01).round()
lasted = -market["seconds"].diff(-1).fillna(0.0)  # until the next message
one_tick = lasted[ticks == 1].sum() / lasted.sum()
print(f"by messages {(ticks == 1).mean():.1%}, by time {one_tick:.1%}")
shares = lasted.groupby(ticks).sum() / lasted.sum()
shares.rename("share of time").rename_axis("spread in ticks").head().to_frame()

# %% [markdown]
# ## 3. Strategies
#
# A **market maker** quotes on both sides and lives on the spread. A **liquidity taker** crosses the spread when it
# believes to know where the price goes. A strategy is asked with a snapshot of the book, and answers with the orders
# it wants:

# %%
maker = MarketMakingStrategy(symbol="AAPL", spread_target=0.10, max_position=1000, order_size=100)
taker = LiquidityTakingStrategy(symbol="AAPL", signal_threshold=0.02, max_position=500, order_size=50)
snapshot = book.get_snapshot()
for order in maker.on_market_update(snapshot, 0.0):
    print(f"maker: {order.side.name} {order.volume} at {order.price:.2f}, the mid being {snapshot.mid_price:.2f}")
print("taker:", taker.on_market_update(snapshot, 0.0) or "waits: nothing has moved by 2 %")

# %% [markdown]
# Answers are not fills. Whether a quote trades depends on the queue before it, on what the others do, and on the
# milliseconds an order travels. `ExecutionSimulator` lets a strategy trade in the market itself, with latency and
# queues. One seed is one market: both strategies meet the same traders. Each sends orders of one lot and holds ten at
# most.

# %%
SEED = 6
simulator = ExecutionSimulator(episode_steps=600)  # 600 decisions, one every 100 ms
strategies = {
    "maker": MarketMakingStrategy("AAPL", spread_target=0.02, max_position=10, order_size=1),
    "taker": LiquidityTakingStrategy("AAPL", signal_threshold=0.0002, max_position=10, order_size=1),
}
one = {name: simulator.run(strategy, seeds=[SEED]) for name, strategy in strategies.items()}
pd.DataFrame(
    {
        name: {
            "fills, the last close included": len(done.fills()),
            "lots traded": done.metrics["volume"].value,
            "of these as a maker": done.metrics["maker_share"].value,
            "profit [currency]": done.portfolio.equity - done.portfolio.initial_cash,
        }
        for name, done in one.items()
    }
).round(3)

# %% tags=["picture-strategies"]
figure = make_subplots(rows=3, shared_xaxes=True, vertical_spacing=0.04, row_heights=[0.5, 0.25, 0.25])
episodes = one["maker"].episodes
mid, fills = episodes.mids_frame(), one["maker"].fills()
mid = mid[mid["time"] >= 0]
line = {"shape": "hv", "color": "#e6edf3", "width": 1}
trace = go.Scatter(x=mid["time"] / 1e9, y=mid["mid2"] / 2, name="mid", line=line)
figure.add_trace(trace, row=1, col=1)
for side, name, symbol, colour in (
    (OrderSide.BID, "maker buys", "triangle-up", BID),
    (OrderSide.ASK, "maker sells", "triangle-down", ASK),
):
    part = fills[fills["side"] == side]
    marker = {"symbol": symbol, "color": colour, "size": 9}
    points = go.Scatter(x=part["time"] / 1e9, y=part["price"], name=name, mode="markers", marker=marker)
    figure.add_trace(points, row=1, col=1)
for (name, done), colour in zip(one.items(), ("#58a6ff", "#f0883e"), strict=True):
    seconds, line = done.episodes.time[0] / 1e9, {"shape": "hv", "color": colour}
    figure.add_trace(go.Scatter(x=seconds, y=done.episodes.equity[0], name=name, line=line), row=2, col=1)
    held = go.Scatter(x=seconds, y=done.episodes.inventory[0], name=name, line=line, showlegend=False)
    figure.add_trace(held, row=3, col=1)
for row, title in enumerate(("price [ticks]", "P&L [ticks·lots]", "position [lots]"), 1):
    figure.update_yaxes(title=title, row=row, col=1)
figure.update_xaxes(title="seconds", row=3, col=1)
figure.update_yaxes(tickformat=",d", row=1, col=1)
figure.update_layout(**DARK, height=640, title="One minute, one market, two strategies")
figure

# %% [markdown]
# **Notice**
#
# * The maker's fills are on the good side of the mid: it buys below and sells above. Still its P&L does not simply
#   rise: what it holds moves with the price, and it is filled most easily just before the price moves against it.
# * The taker's P&L falls with each trade by about half a spread, and then needs the price to go its way.
# * One episode proves nothing. Another seed may turn the order around; section 4 plays a hundred.
#
# **Exercise 3.** `skew` moves both quotes against the position: a maker that holds much sells cheaper. What do you
# expect of `skew=0` and `skew=4` for the spread of its positions, and for its profit? Check it on 100 seeds.

# %% [markdown]
# *Solution.* More skew, smaller positions; and less of the spread for each lot, because the quote that closes a
# position stands nearer to the mid.

# %%
SEEDS = range(100)
found = {}
for skew in (0.0, 1.0, 4.0):
    strategy = MarketMakingStrategy("AAPL", spread_target=0.02, max_position=10, order_size=1, skew=skew)
    metrics = simulator.run(strategy, SEEDS).metrics
    wanted = ("inventory_deviation", "volume", "spread_captured", "net_pnl")
    found[f"skew {skew:g}"] = {name: metrics[name].value for name in wanted}
result = pd.DataFrame(found)
result.loc["spread captured a lot"] = result.loc["spread_captured"] / result.loc["volume"]
for name in ("inventory_deviation", "spread captured a lot"):
    assert result.loc[name, "skew 4"] < result.loc[name, "skew 0"]
result.round(2)

# %% [markdown]
# ## 4. Analytics
#
# The same hundred markets for both. `PerformanceMetrics` knows more than a hundred metrics, each with its formula,
# its unit and its source, and gives an interval with each: how far would the value move with other seeds?

# %%
many = {name: simulator.run(strategy, SEEDS) for name, strategy in strategies.items()}
metrics = {name: PerformanceMetrics(done.episodes) for name, done in many.items()}
CHOSEN = ["net_pnl", "hit_rate", "max_drawdown", "volume", "maker_share", "markout_5s", "inventory_deviation"]
table = {}
for name, of in metrics.items():
    rows = of.to_frame(CHOSEN)
    table[name] = [f"{r.value:.2f} [{r.low:.2f}, {r.high:.2f}]" for r in rows.itertuples()]
pd.DataFrame(table, index=[f"{r.Index} ({r.unit})" for r in rows.itertuples()])

# %% [markdown]
# Where did the money come from? The attribution splits the P&L of every episode, to the last fraction:
# **net P&L = spread captured + adverse selection + position − fees + rebates + liquidation**.

# %% tags=["picture-attribution"]
from hft_gym.report import compare, figures
from hft_gym.report.curves import make_curves

comparison = compare([done.episodes for done in many.values()])
curves = make_curves(comparison)
figure = figures.attribution(comparison, curves)
figure.update_layout(title="Where the P&L comes from, mean of 100 episodes [ticks·lots]", margin={"t": 60})
figure

# %%
PARTS = ["spread_captured", "adverse_selection", "position_pnl", "fees", "liquidation", "net_pnl"]
parts = pd.DataFrame({name: {part: of[part].value for part in PARTS} for name, of in metrics.items()})
explained = parts.drop(index=["net_pnl", "fees"]).sum() - parts.loc["fees"]
assert np.allclose(explained, parts.loc["net_pnl"])
assert parts.loc["spread_captured", "maker"] > 0 > parts.loc["adverse_selection", "maker"]
parts.round(2)

# %% [markdown]
# The library's other charts work the same way: how deep the losses went, and how the price moves after a fill.

# %%
figure = figures.drawdown(comparison, curves)
figure.update_layout(title="Mean distance below the highest P&L so far", margin={"t": 60})
figure

# %%
figure = figures.markouts(comparison, curves)
figure.update_layout(title="What a lot is worth at the mid, by the time since its fill", margin={"t": 60})
figure

# %% [markdown]
# And the risk that was taken, by the episodes themselves:

# %%
print(many["maker"].risk.report())

# %% [markdown]
# **Notice**
#
# * The maker does capture the spread. What eats it up is *adverse selection*: its quotes are taken above all by those
#   who know better, and the price has moved against it five seconds later. Compare the two bars.
# * Look at the intervals before you look at the ranking. Where they overlap widely, nothing has been shown.
# * A share of winning episodes (`hit_rate`) says little by itself: a few large losses can undo many small gains.
#
# **Exercise 4.** Some exchanges pay makers a *rebate* for each lot. How large must it be for this maker to break even
# on these hundred markets? Work it out from the metrics first, then run it.

# %% [markdown]
# *Solution.* The strategy does not look at fees, so that its trades stay the same, and only the payment changes: what
# is missing, divided by the lots that it traded passively.

# %%
of = metrics["maker"]
passive = of["volume"].value * of["maker_share"].value
rebate = round(-of["net_pnl"].value / passive, 4)
print(f"{-of['net_pnl'].value:.2f} ticks·lots are missing, over {passive:.2f} lots")
print(f"that is a rebate of {rebate:.4f} ticks a lot")

paid = ExecutionSimulator(episode_steps=600, market={"fees": {"maker": -rebate}})
again = paid.run(strategies["maker"], SEEDS)
print(f"with it: net P&L {again.metrics['net_pnl'].value:+.3f}")
assert abs(again.metrics["net_pnl"].value) < 0.01

# %% [markdown]
# ## 5. Dashboard
#
# So far every market was over when we looked at it. A `LiveSession` runs on: strategies trade side by side in one
# market, and so can you. It moves only when told to, so here half a minute passes at once:

# %%
from hft_gym.live import LiveSession

SETTINGS = {"symbols": ["AAPL"], "strategies": ["market-making", "microprice-maker"], "seed": 7}
session = LiveSession(SETTINGS)
session.advance(30_000_000_000)
view = session.view("AAPL", levels=5)
ladder = [(*row, side) for side in ("asks", "bids") for row in view.book[side]]
ladder = pd.DataFrame(ladder, columns=["price", "lots", "of these strategies'", "before the first of them", "side"])
ladder.sort_values("price", ascending=False).set_index("price")

# %%
columns = ["position", "equity", "realised", "unrealised", "drawdown", "traded", "maker_share"]
accounts = pd.DataFrame(view.traders).set_index("name")[columns]
parts = pd.DataFrame({trader["name"]: trader["attribution"] for trader in view.traders}).T
accounts.join(parts.rename(columns={"position": "position P&L"})).round(2)

# %% [markdown]
# The dashboard shows such sessions in a browser: ladder with queue positions, price with fills, P&L and its parts, risk
# limits, an order ticket. `hft-gym dashboard` starts it in a terminal, and
# `create_demo_dashboard().run(host="127.0.0.1", port=8080)` from Python. Here it is started beside the notebook, on any
# free port, asked whether it is well, and stopped again; leave out the last line, and open the address.

# %%
from urllib.request import urlopen

from hft_gym.dashboard import create_demo_dashboard

dashboard = create_demo_dashboard(keep=None)
address = dashboard.start(host="127.0.0.1", port=0)
with urlopen(f"{address}health") as answer:
    health = answer.read().decode()
with urlopen(address) as answer:
    page = answer.read().decode()
print(f"{health}, and a page of {len(page):,} characters")
dashboard.stop()

# %% [markdown]
# **Notice**
#
# * Both strategies stand in the same queues, and before each other. In sections 3 and 4 each had the market to itself.
# * What earns and what costs is split while it happens: a position that shines may have been paid for in the spread.
# * What is shown is what an agent trades: the session's markets, latencies and fills are the environments' own.
#
# **Exercise 5.** Be the human in this session: half a minute in, buy 2 lots at the best bid. How many lots stand before
# you, and how long does it take? And one tick below the best bid?

# %% [markdown]
# *Solution.* The same seed, so both times the same market; only the price of the own order differs.


# %%
def until_filled(ticks_below):
    """Lots ahead on arrival, and seconds until the order of 2 lots is filled (None: not within a minute)."""
    session = LiveSession(SETTINGS)
    session.advance(30_000_000_000)
    best = session.view("AAPL").book["bids"][0][0]
    sent, ahead = session.time_ns, None
    session.place("AAPL", "buy", 2, best - ticks_below)
    while session.time_ns < sent + 60_000_000_000:
        session.step()
        me = session.view("AAPL").traders[-1]
        if me["position"] == 2:
            return ahead, (session.time_ns - sent) / 1e9
        if ahead is None:
            ahead = me["orders"][0]["ahead"]
    return ahead, None


waits = {f"{n} ticks below the best bid": until_filled(n) for n in (0, 1)}
pd.DataFrame(waits, index=["lots ahead", "seconds until filled"])

# %% [markdown]
# ## 6. Summary and next steps
#
# What this run has found, in one place:

# %%
pd.set_option("display.max_colwidth", None)
deviation = result.loc["inventory_deviation"]
rows = [
    (1, "what a market order of 400 paid above the mid, a share", f"{average - before.mid_price:.4f}"),
    (2, "share of time with a spread of one tick", f"{one_tick:.1%}"),
    (3, "deviation of the position without skew [lots]", f"{deviation['skew 0']:.2f}"),
    (3, "the same with skew 4", f"{deviation['skew 4']:.2f}"),
    (4, "the maker's net P&L [ticks·lots]", table["maker"][0]),
    (4, "the taker's net P&L [ticks·lots]", table["taker"][0]),
    (4, "rebate at which the maker breaks even [ticks a lot]", f"{rebate:.4f}"),
    *((5, f"seconds until filled, {where}", found[1]) for where, found in waits.items()),
]
pd.DataFrame(rows, columns=["section", "what", "found"]).set_index("section")

# %% [markdown]
# From here:
#
# * **Train an agent** in the same market: `hft-gym train ppo --minutes 10 --name mine`, compare it honestly:
#   `hft-gym compare --policies do-nothing market-making runs/mine`, and watch it beside a baseline in the dashboard.
# * **Write a strategy**: one method, `decide`; CONTRIBUTING.md has a whole one in ten lines.
# * **Other markets**: `hft-gym presets` lists them; `ExecutionSimulator(market="poisson")` takes one.
# * **Real data**: docs/data.md reads recorded days of five sources, docs/feeds.md live ones.
# * **How real is this market?** `hft-gym realism` measures it against stylised facts; docs/limits.md says what it
#   lacks.
# * **Every metric** with formula and source: docs/metrics.md.
