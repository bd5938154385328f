"""How real a market is: stylised facts and scores of its tape, against real data and against theory.

`read_tape` and `simulate_tape` make tapes; `measure` takes the facts of :data:`FACTS` off one, `lob_bench` scores one
against another, `metaorder_impact` is the experiment on impact, `D_checks` are the ranges that a realistic market must
keep, and `scorecard` is all of it for one market and one file of real data.
"""

from hft_gym.realism.checks import Check, D_checks
from hft_gym.realism.cst import CstFit, fit_cst
from hft_gym.realism.facts import FACTS, Curve, Fact, Measured, Sample, measure
from hft_gym.realism.impact import Impact, metaorder_impact
from hft_gym.realism.lob_bench import LobBench, Score, lob_bench
from hft_gym.realism.scorecard import Scorecard, scorecard
from hft_gym.realism.tapes import in_shares, read_tape, simulate_tape, split

__all__ = [
    "FACTS",
    "Check",
    "CstFit",
    "Curve",
    "D_checks",
    "Fact",
    "Impact",
    "LobBench",
    "Measured",
    "Sample",
    "Score",
    "Scorecard",
    "fit_cst",
    "in_shares",
    "lob_bench",
    "measure",
    "metaorder_impact",
    "read_tape",
    "scorecard",
    "simulate_tape",
    "split",
]
