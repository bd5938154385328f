"""Files that appear whole or not at all, and are refused when damaged: zips of parts with checksums."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hft_gym.errors import CheckpointError
from hft_gym.files import replace_file

__all__ = ["read_parts", "write_parts"]

HEAD = "head.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # of every entry, so that equal contents give equal files


def write_parts(
    path: str | Path, kind: str, version: int, head: Mapping[str, Any], parts: Mapping[str, bytes]
) -> None:
    """Write a file of ``kind``: a JSON head and named parts, each with its SHA-256.

    Raises:
        TypeError: the head cannot be written as JSON.
    """
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in parts.items()}
    document = {"kind": kind, "version": version, **head, "parts": sums}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(HEAD, _EPOCH), json.dumps(document, indent=1) + "\n")
        for name, data in parts.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), data)
    replace_file(Path(path), buffer.getvalue())


def read_parts(path: str | Path, kind: str, version: int) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The head and the parts of a file of ``kind``, checked; nothing in them has been executed.

    Raises:
        CheckpointError: there is no such file, it is something else, of another version, or damaged; the
            message says which.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if HEAD not in names:
                # The end of a part, itself an archive, is found where our own end has been cut off.
                if HEAD.encode() in path.read_bytes()[:64]:
                    raise CheckpointError(f"{path}: damaged, or not {_a(kind)}: its end is missing")
                found = ", ".join(names[:6]) or "nothing"
                raise CheckpointError(f"{path}: not {_a(kind)}: it has no {HEAD}, only {found}")
            head = json.loads(archive.read(HEAD))
            if not isinstance(head, dict) or head.get("kind") != kind:
                found = head.get("kind") if isinstance(head, dict) else head
                raise CheckpointError(f"{path}: not {_a(kind)} but {found!r}")
            if head.get("version") != version:
                raise CheckpointError(
                    f"{path}: {kind} of format {head.get('version')!r}; this hft_gym reads format {version}"
                )
            parts = {}
            for name, expected in head["parts"].items():
                if name not in names:
                    raise CheckpointError(f"{path}: damaged: the part {name!r} is missing")
                parts[name] = archive.read(name)
                if hashlib.sha256(parts[name]).hexdigest() != expected:
                    raise CheckpointError(
                        f"{path}: damaged: the part {name!r} does not have the checksum that was saved"
                    )
    except FileNotFoundError:
        raise CheckpointError(f"{path}: there is no such file") from None
    except (
        zipfile.BadZipFile,
        json.JSONDecodeError,
        UnicodeDecodeError,
        KeyError,
        AttributeError,
        EOFError,
    ) as error:
        raise CheckpointError(f"{path}: damaged, or not {_a(kind)} ({error})") from None
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror or error})") from None
    return head, parts


def _a(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
