"""Importing this module registers every group; their order here is the order of the table."""

from hft_gym.bench import (  # isort: skip
    rows_book,
    rows_env,
    rows_model,
    rows_replay,
    rows_data,
    rows_train,
    rows_report,
    rows_start,
    rows_peers,
)

MODULES = (rows_book, rows_env, rows_model, rows_replay, rows_data, rows_train, rows_report, rows_start, rows_peers)
"""The modules of rows; a new one is listed here."""
