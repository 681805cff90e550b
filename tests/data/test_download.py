"""Fetching over HTTP, from a server of this process that breaks off, refuses and forgets."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from hummuss.data.download import ATTEMPTS, download
from hummuss.errors import InputError

CONTENT = np.random.default_rng(0).bytes(3_000_000)


class Server(ThreadingHTTPServer):
    """Serves `CONTENT`; what goes wrong is set by the test."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = CONTENT
        self.cuts: list[int] = []  # bytes after which the next connections break off
        self.statuses: list[int] = []  # answers of the next requests, before any is served
        self.ranges = self.length = True
        self.asked: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/all.zip"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.asked.append(self.headers["Range"])
        if self.server.statuses:
            self.send_error(self.server.statuses.pop(0))
            return
        content, start = self.server.content, 0
        if self.headers["Range"] and self.server.ranges:
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        if self.server.length:
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end = start + self.server.cuts.pop(0) if self.server.cuts else len(content)
        self.wfile.write(content[start:end])


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def check(path: Path) -> None:
    if path.read_bytes() != CONTENT:
        raise InputError(f"{path} is another file")


class Shown:
    """What the progress was told: bytes of the file and bytes there at each beginning, bytes that came."""

    def __init__(self) -> None:
        self.begun: list[tuple[int, int]] = []
        self.came = 0

    @contextlib.contextmanager
    def __call__(self, total: int, done: int):
        self.begun.append((total, done))
        yield self.advance

    def advance(self, count: int) -> None:
        self.came += count


def fetch(url: str, folder: Path) -> Shown:
    shown = Shown()
    download(url, folder / "raw" / "all.zip", check, shown, pause=0.0)
    return shown


def whole(folder: Path) -> bool:
    return [path.name for path in folder.rglob("*.*")] == ["all.zip"] and (
        folder / "raw" / "all.zip"
    ).read_bytes() == CONTENT


def test_a_file_is_fetched(server, tmp_path) -> None:
    shown = fetch(server.url, tmp_path)
    assert whole(tmp_path)
    assert (shown.begun, shown.came) == ([(len(CONTENT), 0)], len(CONTENT))
    assert server.asked == [None]


def test_a_connection_that_breaks_off_is_continued(server, tmp_path) -> None:
    server.cuts = [1_000_000, 500_000]
    shown = fetch(server.url, tmp_path)
    assert whole(tmp_path)
    assert server.asked == [None, "bytes=1000000-", "bytes=1500000-"]
    assert shown.came == len(CONTENT)


def test_only_failures_without_a_byte_between_add_up(server, tmp_path) -> None:
    server.cuts = [100_000] * (ATTEMPTS + 2)
    fetch(server.url, tmp_path)
    assert whole(tmp_path)
    assert len(server.asked) == ATTEMPTS + 3


def test_a_later_call_continues(server, tmp_path) -> None:
    server.cuts = [1_000_000, *[0] * (ATTEMPTS - 1)]
    with pytest.raises(InputError, match=r"broke off after 1000000 of 3000000 .*5 times in a row; 1.0 MB are kept"):
        fetch(server.url, tmp_path)
    assert len(server.asked) == ATTEMPTS
    server.asked.clear()
    server.cuts.clear()
    shown = fetch(server.url, tmp_path)
    assert whole(tmp_path)
    assert server.asked == ["bytes=1000000-"]
    assert (shown.begun, shown.came) == ([(3_000_000, 1_000_000)], 2_000_000)


def test_a_server_without_ranges_sends_the_file_anew(server, tmp_path) -> None:
    server.cuts, server.ranges = [1_000_000], False
    fetch(server.url, tmp_path)
    assert whole(tmp_path)
    assert server.asked == [None, "bytes=1000000-"]


def test_a_file_fetched_but_not_yet_checked_is_not_fetched_again(server, tmp_path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "all.zip.part").write_bytes(CONTENT)
    shown = fetch(server.url, tmp_path)
    assert whole(tmp_path)
    assert shown.begun == []


@pytest.mark.parametrize("left", [CONTENT + b"more", CONTENT[1:], b"\0" + CONTENT[1:2_000_000]])
def test_what_is_left_of_another_file_is_never_accepted(server, tmp_path, left) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "all.zip.part").write_bytes(left)
    with contextlib.suppress(InputError):
        fetch(server.url, tmp_path)
    fetch(server.url, tmp_path)
    assert whole(tmp_path)


def test_a_file_that_fails_its_check_is_removed(server, tmp_path) -> None:
    server.content = CONTENT[:-1]
    with pytest.raises(InputError, match=r"what arrived is damaged and was removed \(.*is another file\)"):
        fetch(server.url, tmp_path)
    assert list((tmp_path / "raw").iterdir()) == []


def test_a_missing_file_is_an_error_at_once(server, tmp_path) -> None:
    server.statuses = [404] * 10
    with pytest.raises(InputError, match=r"all\.zip: the server answers 404 Not Found: has the file moved\?"):
        fetch(server.url, tmp_path)
    assert len(server.asked) == 1


def test_a_busy_server_is_asked_again(server, tmp_path) -> None:
    server.statuses = [503, 429]
    fetch(server.url, tmp_path)
    assert whole(tmp_path)
    server.statuses, server.asked = [500] * 10, []
    (tmp_path / "raw" / "all.zip").unlink()
    with pytest.raises(InputError, match="answers 500 Internal Server Error, 5 times in a row: check the network"):
        fetch(server.url, tmp_path)
    assert len(server.asked) == ATTEMPTS


def test_pauses_double(server, tmp_path, monkeypatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    server.statuses = [503] * 4
    download(server.url, tmp_path / "all.zip", check, Shown(), pause=1.5)
    assert slept == [1.5, 3, 6, 12]


def test_no_length_no_server_no_address(server, tmp_path) -> None:
    server.length = False
    with pytest.raises(InputError, match="does not say how long the file is"):
        fetch(server.url, tmp_path)
    closed = Server()
    closed.server_close()
    with pytest.raises(InputError, match=r"cannot be reached \(.*refused.*\), 5 times in a row: check the network"):
        fetch(closed.url, tmp_path)
    with pytest.raises(InputError, match="expected http:// or https://"):
        fetch("file:///etc/passwd", tmp_path)
