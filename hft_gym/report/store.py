"""The store of runs: all parts of a folder, as a list and as SQL. Only the parts are kept (`hft_gym.report.parts`).

The tables of `Store.query` are views made anew for every query, so that they can never disagree with the parts.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hft_gym.config import did_you_mean
from hft_gym.errors import ConfigError, DataError
from hft_gym.extras import optional
from hft_gym.report.parts import TABLES, UNFINISHED, Part, arrow_table, read_part

__all__ = ["Store"]


class Store:
    """The parts in a folder as they are now.

    Args:
        path: the folder; one that does not exist is an empty store.

    Attributes:
        parts: the sound ones, oldest first.
        damaged: name -> why it is left out, of the others.
        unfinished: folders of writers that are at work, or were killed.

    Raises:
        ConfigError: the path is a file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if self.path.exists() and not self.path.is_dir():
            raise ConfigError(f"parts: {self.path} is a file; allowed is the folder of a store")
        self.parts: list[Part] = []
        self.damaged: dict[str, DataError] = {}
        self.unfinished: list[Path] = []
        for folder in sorted(self.path.iterdir()) if self.path.exists() else ():
            if folder.name.startswith(UNFINISHED):
                self.unfinished.append(folder)
            elif folder.is_dir() and not folder.name.startswith("."):
                try:
                    self.parts.append(read_part(folder))
                except DataError as error:
                    self.damaged[folder.name] = error

    def find(self, word: str) -> Part:
        """The part of an identifier, or of the beginning of one.

        Raises:
            ConfigError: there is none, or more than one begins so.
            DataError: it is damaged.
        """
        found = [part for part in self.parts if part.id == word] or [p for p in self.parts if p.id.startswith(word)]
        if not word:
            raise ConfigError("run: which one? hft-gym runs list shows them")
        if len(found) == 1:
            return found[0]
        if len(found) > 1:
            raise ConfigError(
                f"run {word!r}: {len(found)} begin so: {', '.join(p.id for p in found[:5])}{' ...' * (len(found) > 5)}"
            )
        for name, error in self.damaged.items():
            if name.startswith(word):
                raise error
        hint = did_you_mean(word, [part.id for part in self.parts]).split(" Allowed:")[0].rstrip(".")
        raise ConfigError(
            f"run {word!r}: there is none in {self.path}{hint}; "
            f"{len(self.parts)} are there (hft-gym runs list shows them)"
        )

    def query(self, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Run SQL over all sound parts: columns, rows.

        ============  ======================================================================================
        ``runs``      run, time, market, episodes, best, best_baseline, command, version, git, config (JSON)
        ``metrics``   run, policy, kind, metric, unit, value, low, high, episodes
        ``episodes``  run, policy, kind, episode, seed, decisions, and a column for each metric
        ============  ======================================================================================

        A query sees these tables and nothing else: DuckDB may open no file and no address, neither to read nor to
        write, and load no extension. The parts are read by Arrow, a column when it is asked for.

        Raises:
            MissingExtraError: DuckDB or pyarrow is not installed.
            DataError: there is no sound part, no part has a table that is asked for, or DuckDB refuses the query.
        """
        duckdb, arrow = optional("duckdb"), optional("pyarrow")
        if not self.parts:
            raise DataError(f"no sound part to ask; {len(self.damaged)} are damaged", self.path)
        missing: list[str] = []
        connection = duckdb.connect(config={"enable_external_access": "false"})
        try:
            connection.execute("SET enable_progress_bar = false")
            connection.register("runs", arrow.Table.from_pylist([_row(part) for part in self.parts]))
            missing = [table for table in TABLES if not self._view(connection, table)]
            connection.execute("SET lock_configuration = true")
            result = connection.execute(sql)
            columns = [column[0] for column in result.description or ()]
            return columns, result.fetchall()
        except duckdb.Error as error:
            # Before the place in the query that it points to with lines of its own.
            said = " ".join(str(error).partition("\n\nLINE ")[0].split())
            for table in missing:
                if f"table with name {table} does not exist" in said.lower():
                    raise DataError(f"no part has the table {table}: all were written without it", self.path) from None
            raise DataError(f"DuckDB says: {said}", self.path) from error
        finally:
            connection.close()

    def _view(self, connection: Any, table: str) -> bool:
        """Make the view of one of `TABLES`; False where no part has it."""
        files = [file for part in self.parts if (file := part.table(table)) is not None]
        if not files:
            return False
        sources = []
        parquet = [file for file in files if file.suffix == ".parquet"]
        if parquet:
            # Columns by name: another version may have measured more.
            read_schema = optional("pyarrow.parquet").read_schema
            schema = optional("pyarrow").unify_schemas([read_schema(file) for file in parquet])
            dataset = optional("pyarrow.dataset").dataset([str(file) for file in parquet], schema)
            connection.register(f"{table}_parquet", dataset)
            sources.append(f"SELECT * FROM {table}_parquet")
        for i, file in enumerate(f for f in files if f.suffix == ".json"):
            connection.register(f"{table}_{i}", arrow_table(json.loads(file.read_bytes())))
            sources.append(f'SELECT * FROM "{table}_{i}"')
        connection.execute(f"CREATE VIEW {table} AS {' UNION ALL BY NAME '.join(sources)}")
        return True


def _row(part: Part) -> dict[str, Any]:
    record = part.record
    meta = record["meta"]
    versions = meta.get("versions", {})
    return {
        "run": part.id,
        "time": record["time"],
        "market": part.market,
        "episodes": record["episodes"],
        "best": record["best"],
        "best_baseline": record["best_baseline"],
        "command": meta.get("command"),
        "version": versions.get("hft_gym"),
        "git": versions.get("git"),
        "config": json.dumps(meta.get("config", {})),
    }
