"""Recordings: what a session has shown, kept in memory thinned, and on disk as one compressed JSON file."""

from __future__ import annotations

import gzip
import json
import re
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hft_gym.errors import DataError
from hft_gym.files import replace_file
from hft_gym.report.writers import json_text

__all__ = ["Frames", "Recordings"]

FORMAT = 1
MAX_FRAMES = 600
_NAME = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")


class Frames:
    """Pictures of one symbol on the session's clock, thinned as `History` is.

    Args:
        capacity: pictures at most.
        spacing_ns: market time between two at least.
    """

    def __init__(self, capacity: int = MAX_FRAMES, spacing_ns: int = 0) -> None:
        self.capacity, self.spacing_ns = capacity, spacing_ns
        self.times: list[int] = []
        self.pictures: list[bytes] = []

    def __len__(self) -> int:
        """Pictures that there are."""
        return len(self.pictures)

    def wants(self, time_ns: int) -> bool:
        """Whether a picture of this moment would be taken."""
        return not self.times or time_ns >= self.times[-1] + max(self.spacing_ns, 1)

    def add(self, time_ns: int, picture: bytes) -> None:
        """Take a picture (JSON), unless the last one is too near."""
        if not self.wants(time_ns):
            return
        if len(self.times) >= self.capacity:
            self.times, self.pictures = self.times[::2], self.pictures[::2]
            self.spacing_ns = (self.times[-1] - self.times[0]) // max(len(self.times) - 1, 1)
        self.times.append(time_ns)
        self.pictures.append(picture)

    def to_json(self) -> list[Any]:
        """All pictures, in order."""
        return [json.loads(picture) for picture in self.pictures]


class Recordings:
    """A folder of recordings. Clients name one by what `names` lists, never by a path.

    Args:
        folder: made with the first recording; None: nothing is kept.
        most: recordings that are kept; the oldest goes.
    """

    def __init__(self, folder: Path | None, most: int = 100) -> None:
        self.folder, self.most = folder, most

    def names(self) -> list[str]:
        """What there is, newest first."""
        if self.folder is None or not self.folder.is_dir():
            return []
        stems = [path.name.removesuffix(".json.gz") for path in self.folder.glob("*.json.gz") if path.is_file()]
        return sorted((s for s in stems if _NAME.fullmatch(s)), reverse=True)

    def write(self, document: dict[str, Any]) -> str:
        """Keep a recording; returns its name.

        Raises:
            DataError: this dashboard keeps nothing.
        """
        if self.folder is None:
            raise DataError("this dashboard keeps no recordings: it was started without a folder for them")
        name = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        data = json_text({"format": FORMAT, "name": name, **document}, indent=None)
        replace_file(self.folder / f"{name}.json.gz", gzip.compress(data.encode(), 6))
        for old in self.names()[self.most :]:
            (self.folder / f"{old}.json.gz").unlink(missing_ok=True)
        return name

    def read(self, name: str) -> bytes:
        """A recording as it is on disk: JSON, compressed with gzip.

        Raises:
            DataError: there is none of that name.
        """
        if name not in self.names() or self.folder is None:
            raise DataError("there is no such recording")
        return (self.folder / f"{name}.json.gz").read_bytes()
