"""Strategies by name: our own, and any subclass of `Strategy` as ``"my_module:MyStrategy"``."""

from __future__ import annotations

import ast
import inspect
from importlib import import_module
from typing import Any

from baselines.strategy import Strategy
from hft_gym.config import did_you_mean
from hft_gym.errors import ConfigError

__all__ = ["get", "make", "names", "parse"]

_HOMES = {
    "do-nothing": "baselines.do_nothing:DoNothing",
    "random": "baselines.random_actions:RandomActions",
    "buy-and-hold": "baselines.buy_and_hold:BuyAndHold",
    "market-making": "baselines.market_making:MarketMakingStrategy",
    "inventory-skew": "baselines.inventory_skew:InventorySkew",
    "join-touch": "baselines.join_touch:JoinTouch",
    "avellaneda-stoikov": "baselines.avellaneda_stoikov:AvellanedaStoikov",
    "glft": "baselines.glft:Glft",
    "cartea-jaimungal": "baselines.cartea_jaimungal:CarteaJaimungalMaker",
    "microprice-maker": "baselines.microprice_maker:MicroPriceMaker",
    "liquidity-taking": "baselines.liquidity_taking:LiquidityTakingStrategy",
    "momentum": "baselines.momentum:Momentum",
    "order-flow-imbalance": "baselines.order_flow_imbalance:OrderFlowImbalance",
    "queue-imbalance": "baselines.queue_imbalance:QueueImbalance",
    "microprice-taker": "baselines.microprice_taker:MicroPriceTaker",
    "immediate": "baselines.immediate:Immediate",
    "twap": "baselines.twap:Twap",
    "vwap": "baselines.vwap:Vwap",
    "almgren-chriss": "baselines.almgren_chriss:AlmgrenChrissExecution",
    "passive-then-cross": "baselines.passive_then_cross:PassiveThenCross",
}
"""A new baseline is one module and one line here."""
_PRIVILEGED = {"oracle": "baselines.oracle:Oracle"}
"""Those that know more than a strategy can, and cheat; `names` leaves them out."""
_MODEL_HOMES = {
    "avellaneda-stoikov": "baselines.model_makers:AvellanedaStoikovMaker",
    "cartea-jaimungal": "baselines.model_makers:CarteaJaimungalMaker",
    "glft": "baselines.model_makers:GlftMaker",
    "symmetric": "baselines.model_makers:SymmetricMaker",
}
"""The strategies of ``HFTModel-v0``."""


def names(env: Any = None) -> list[str]:
    """The names of our own strategies: those that fit an environment, without one all of the market's."""
    homes = _homes(env)[0]
    task = getattr(getattr(getattr(env, "unwrapped", env), "config", None), "task", None)
    return [name for name in homes if task is None or task in get(name).tasks]


def _homes(env: Any) -> tuple[dict[str, str], type[Any]]:
    """The strategies of an environment by name, and their base class."""
    from baselines.model_makers import ModelMaker, is_model

    core = getattr(env, "unwrapped", env)
    return (_MODEL_HOMES, ModelMaker) if is_model(core) else (_HOMES, Strategy)


def get(name: str, env: Any = None) -> type[Any]:
    """The strategy class of a name, or of ``"my_module:MyStrategy"``.

    Args:
        name: one of `names`, or ``"my_module:MyStrategy"``.
        env: for which environment; None: the market.

    Raises:
        ConfigError: no such name, module or class, not a subclass of `Strategy` (for ``HFTModel-v0``, `ModelMaker`), or
            one without a method that every subclass must define.
    """
    homes, base = _homes(env)
    home = {**_PRIVILEGED, **homes}.get(name, name)
    module_name, colon, class_name = home.partition(":")
    if not (colon and module_name and class_name):
        raise ConfigError(f"unknown baseline {name!r}{did_you_mean(name, list(homes))} (or my_module:MyStrategy)")
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not (module_name + ".").startswith(error.name + "."):
            raise  # the module exists; something that it imports does not
        if module_name in homes:
            raise ConfigError(f"{name!r}: expected name=value after the colon, got {class_name!r}") from None
        raise ConfigError(f"baseline {name!r}: there is no module {module_name!r} on the path") from None
    found = getattr(module, class_name, None)
    if found is None:
        classes = [n for n, v in vars(module).items() if _is_subclass(v, base)]
        raise ConfigError(f"module {module_name!r} has no {class_name!r}{did_you_mean(class_name, classes)}")
    if not _is_subclass(found, base):
        raise ConfigError(f"{home} is not a subclass of baselines.{base.__name__}")
    missing = sorted(getattr(found, "__abstractmethods__", ()))
    if missing:
        raise ConfigError(f"{home} does not define {', '.join(missing)}, which a baselines.{base.__name__} needs")
    cls: type[Any] = found
    return cls


def _is_subclass(value: Any, base: type[Any]) -> bool:
    return inspect.isclass(value) and issubclass(value, base) and value is not base


def make(name: str, env: Any = None, **parameters: Any) -> Any:
    """A strategy, its defaults scaled to the environment's market, and bound to it.

    Args:
        name: one of `names` of the environment, or ``"my_module:MyStrategy"``.
        env: an HFTMarket or HFTModel environment, single or vector; None leaves it unbound, for book snapshots.
        **parameters: of the strategy; they win over the defaults.

    Raises:
        ConfigError: an unknown name or parameter, or a value out of range.
    """
    cls = get(name, env)
    core = None if env is None else getattr(env, "unwrapped", env)
    accepted = [p for p in inspect.signature(cls).parameters.values() if p.kind is not p.VAR_KEYWORD]
    allowed = [p.name for p in accepted]
    open_ended = len(accepted) < len(inspect.signature(cls).parameters)
    for parameter in parameters:
        if parameter not in allowed and not open_ended:
            raise ConfigError(f"{name}: unknown parameter {parameter!r}{did_you_mean(parameter, allowed)}")
    settings = dict(cls.defaults(core)) if core is not None else {}
    settings.update(parameters)
    for p in accepted:
        if p.name == "symbol" and p.default is p.empty:
            settings.setdefault("symbol", Strategy.symbol)
        elif p.default is p.empty and p.name not in settings and p.kind is not p.VAR_POSITIONAL:
            raise ConfigError(f"{name}: parameter {p.name!r} has no default and must be given")
    try:
        strategy = cls(**settings)
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from None
    return strategy if env is None else strategy.bind(env)


def parse(text: str) -> tuple[str, dict[str, Any]]:
    """``"market-making:spread_target=0.02,skew=2"`` as a name and its parameters.

    Values are Python literals; what is none is a string.

    Raises:
        ConfigError: a parameter without a value.
    """
    head, colon, tail = text.rpartition(":")
    if not colon or "=" not in tail:
        if text.endswith(":"):
            raise ConfigError(f"{text!r}: parameters are missing after the colon, for example skew=2")
        return text, {}
    parameters: dict[str, Any] = {}
    for item in tail.split(","):
        key, equals, value = item.partition("=")
        if not (equals and key.strip() and value.strip()):
            raise ConfigError(f"{text!r}: expected name=value, got {item!r}")
        try:
            parameters[key.strip()] = ast.literal_eval(value.strip())
        except (ValueError, SyntaxError):
            parameters[key.strip()] = value.strip()
    return head, parameters
