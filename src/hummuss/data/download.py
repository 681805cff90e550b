"""Fetch one large file over HTTP: continued where it stopped, and accepted only when it is whole."""

import http.client
import re
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from hummuss import __version__
from hummuss.errors import InputError

CHUNK = 1 << 20
# Failures in a row, without a byte between them, after which the fetch is given up; and what is waited after the
# first, seconds, twice as long after each further one.
ATTEMPTS, PAUSE = 5, 1.0
TIMEOUT = 60.0

# Bytes in all and bytes that are there already -> a context that is told of the bytes that arrive.
ShowBytes = Callable[[int, int], AbstractContextManager[Callable[[int], None]]]


class _BrokenOffError(Exception):
    """A fetch that may go better next time."""


def download(url: str, path: Path, check: Callable[[Path], None], show: ShowBytes, pause: float = PAUSE) -> None:
    """Fetch ``url`` to ``path``; what an earlier call fetched of it (``<path>.part``) is continued.

    Continuing asks the server for a range (RFC 9110, section 14); a server that knows none sends the file anew.

    Args:
        url: http or https.
        path: where the file appears once it is whole.
        check: raises InputError if the file is damaged; it is then removed.
        show: shows the progress.
        pause: seconds to wait after the first failure.

    Raises:
        InputError: the server cannot be reached, refuses, keeps breaking off, does not say how long the file is, or
            sends something that ``check`` refuses.
    """
    if not url.startswith(("http://", "https://")):
        raise InputError(f"{url!r} is no address to fetch from: expected http:// or https://")
    path.parent.mkdir(parents=True, exist_ok=True)
    part, failures = path.with_name(f"{path.name}.part"), 0
    while True:
        before = _size(part)
        try:
            _fetch(url, part, show)
            break
        except (_BrokenOffError, http.client.HTTPException, OSError) as error:
            failures = 1 if _size(part) > before else failures + 1
            if failures == ATTEMPTS:
                kept = f"; {_size(part) / 1e6:.1f} MB are kept, and the same command continues" if part.exists() else ""
                raise InputError(
                    f"{url}: {_reason(error)}, {ATTEMPTS} times in a row{kept}: "
                    f"check the network, or fetch the file by other means to {path}"
                ) from error
            time.sleep(pause * 2 ** (failures - 1))
    try:
        check(part)
    except InputError as error:
        part.unlink()
        raise InputError(f"{url}: what arrived is damaged and was removed ({error}): run the command again") from error
    part.rename(path)


def _fetch(url: str, part: Path, show: ShowBytes) -> None:
    """Fetch what ``part`` lacks."""
    have = _size(part)
    headers = {"User-Agent": f"hummuss/{__version__}"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        response = urlopen(Request(url, headers=headers), timeout=TIMEOUT)
    except HTTPError as error:
        with error:
            if error.code == 416 and _total(error.headers.get("Content-Range")) == have:
                return  # nothing is missing: the last call ended before the check
            if error.code == 416:
                part.unlink()
                raise _BrokenOffError(f"the server's file is shorter than the {have} bytes fetched before") from error
            if error.code >= 500 or error.code in (408, 429):
                raise _BrokenOffError(f"the server answers {error.code} {error.reason}") from error
        raise InputError(f"{url}: the server answers {error.code} {error.reason}: has the file moved?") from error
    with response:
        if response.status == 206:
            if not (response.headers.get("Content-Range") or "").startswith(f"bytes {have}-"):
                raise InputError(f"{url}: asked for the bytes from {have} on, the server sends others: remove {part}")
            total = _total(response.headers["Content-Range"])
        else:
            have, length = 0, response.headers.get("Content-Length")
            total = int(length) if length else None
        if total is None:
            raise InputError(f"{url}: the server does not say how long the file is: fetch it by other means")
        with open(part, "ab" if have else "wb") as file, show(total, have) as advance:
            while block := response.read(CHUNK):
                file.write(block)
                advance(len(block))
    if _size(part) < total:
        raise _BrokenOffError(f"the connection broke off after {_size(part)} of {total} bytes")


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _total(content_range: str | None) -> int | None:
    """The whole file's length out of ``bytes 10-99/100`` or ``bytes */100``."""
    found = re.search(r"/(\d+)$", content_range or "")
    return int(found[1]) if found else None


def _reason(error: Exception) -> str:
    return f"cannot be reached ({error.reason})" if isinstance(error, URLError) else str(error) or repr(error)
