"""Published strategies in closed form: formulas only, no market, no estimation.

Whoever uses them hands over the parameters, known (``HFTModel-v0``) or estimated. Prices and depths are in one unit of
price, times in one unit of time, volatilities in price per square root of that time, arrival rates per that time, and
decays per price; inventories in lots. A *depth* is the distance of the own quote from the mid, positive away from it.

Functions broadcast over arrays; the solutions of systems (`Glft`, `CarteaJaimungal`) are for one market each.
"""

from baselines.closed_forms import almgren_chriss, avellaneda_stoikov, liquidation
from baselines.closed_forms.almgren_chriss import AlmgrenChriss
from baselines.closed_forms.cartea_jaimungal import CarteaJaimungal
from baselines.closed_forms.glft import Glft
from baselines.closed_forms.glft import depths as glft_depths

__all__ = [
    "AlmgrenChriss",
    "CarteaJaimungal",
    "Glft",
    "almgren_chriss",
    "avellaneda_stoikov",
    "glft_depths",
    "liquidation",
]
