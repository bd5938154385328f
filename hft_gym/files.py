"""Files that appear whole or not at all, and arrays in them that are refused when damaged."""

from __future__ import annotations

import hashlib
import io
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from hft_gym.errors import CheckpointError, ConfigError

__all__ = ["digest", "hold", "read_arrays", "read_checked", "replace_file", "write_arrays"]


def replace_file(path: str | os.PathLike[str], data: bytes | str) -> None:
    """Write a file under a temporary name beside its place, bring it to the disk and move it there: whatever happens,
    nobody ever reads half of it. Its folder is made where missing.

    Args:
        path: an older file there is replaced.
        data: its contents; text is written as UTF-8.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(draft, 0o644)  # mkstemp's 0600 would hide a shared result
        os.replace(draft, target)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def digest(data: bytes) -> str:
    """SHA-256 of a file's contents, in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def write_arrays(path: str | os.PathLike[str], arrays: Mapping[str, NDArray[Any]], *, compressed: bool = False) -> str:
    """Write arrays by name as an ``npz`` file, by `replace_file`; returns the file's `digest`.

    Raises:
        ValueError: an array holds objects.
    """
    buffer = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, allow_pickle=False, **dict(arrays))
    replace_file(path, buffer.getvalue())
    return digest(buffer.getvalue())


def read_checked(path: str | os.PathLike[str], what: str, wanted: str) -> bytes:
    """A file's contents, if they have the digest *wanted*.

    Raises:
        CheckpointError: there is no such file, or it is damaged; *what* it should be is said.
    """
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such file") from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror or error})") from error
    if digest(data) != wanted:
        raise CheckpointError(f"{path} is damaged, or no {what}: its contents do not match their digest")
    return data


def read_arrays(path: str | os.PathLike[str], what: str, wanted: str | None = None) -> dict[str, NDArray[Any]]:
    """The arrays that `write_arrays` wrote. Nothing in the file is executed.

    Args:
        path: the file.
        what: it should be, for error messages: ``"saved market"``.
        wanted: the digest that it had when it was written; None: it is not compared.

    Raises:
        CheckpointError: there is no such file, it is damaged, or something else.
    """
    try:
        source = path if wanted is None else io.BytesIO(read_checked(path, what, wanted))
        with np.load(source, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except CheckpointError:
        raise
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such file") from error
    except Exception as error:
        # zipfile, its decompressors and NumPy raise a dozen kinds of errors of a damaged archive: a flipped bit may say
        # that an entry is encrypted, of another compression, or of a later version of the format.
        raise CheckpointError(f"{path} is damaged, or no {what} ({error})") from error


def hold(path: str | os.PathLike[str]) -> IO[bytes] | None:
    """Take a lock for this process: closing the file lets go of it, as does the system however the process ends.

    Args:
        path: of the lock's file, made where missing; it stays, and says nothing by being there.

    Returns:
        The file to close; None: somebody else has the lock.

    Raises:
        ConfigError: the file cannot be made, or its file system has no locks.
    """
    try:
        file = open(path, "ab")  # noqa: SIM115  # it is held beyond this call
    except OSError as error:
        raise ConfigError(f"{path} cannot be made ({error.strerror or error})") from error
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        file.close()
        return None
    except OSError as error:
        file.close()
        raise ConfigError(f"{path} cannot be locked ({error.strerror or error})") from error
    return file
