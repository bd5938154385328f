"""The benchmark's core, shipped with the package so that ``hft-gym bench`` works everywhere.

``harness`` measures, ``report`` prints and writes, ``stream`` and ``plain_book`` are the standard load and
the yardstick in Python, the ``rows_*`` modules are the figures.
"""
