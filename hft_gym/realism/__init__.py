"""How real a market is: stylised facts and scores of its tape, against real data and against theory.

`read_tape` and `simulate_tape` make tapes, `measure` takes the facts of :data:`FACTS` off one.
"""

from hft_gym.realism.facts import FACTS, Curve, Fact, Measured, Sample, measure
from hft_gym.realism.tapes import in_shares, read_tape, simulate_tape, split

__all__ = [
    "FACTS",
    "Curve",
    "Fact",
    "Measured",
    "Sample",
    "in_shares",
    "measure",
    "read_tape",
    "simulate_tape",
    "split",
]
