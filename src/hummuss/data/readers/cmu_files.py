"""Where the CMU database's files come from: unpacked folders, tar archives, or the official zip."""

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Protocol, runtime_checkable

from hummuss.data.readers.cmu_index import INDEX, CmuEntry
from hummuss.errors import InputError

# "Here is a zipfile of all asf's and amc's" (mocap.cs.cmu.edu, FAQs), which asks not to crawl single files.
OFFICIAL_ZIP = "allasfamc.zip"
OFFICIAL_URL = f"http://mocap.cs.cmu.edu/{OFFICIAL_ZIP}"


@runtime_checkable
class Files(Protocol):
    """Files by the names that ``index.csv`` gives them."""

    def fetch(self, name: str) -> bytes:
        """The content of a file; raises InputError if it cannot be had."""


class Folder:
    """Unpacked files."""

    def __init__(self, raw: Path) -> None:
        self.raw = raw

    def fetch(self, name: str) -> bytes:
        try:
            return (self.raw / name).read_bytes()
        except OSError as error:
            raise InputError(f"{self.raw / name}: {error.strerror}: unpack the archive again") from error


class TarArchive:
    """A compressed archive, read once from front to back; files asked for out of order wait in memory."""

    def __init__(self, path: Path, wanted: set[str]) -> None:
        self.path, self.wanted = path, wanted
        self._waiting: dict[str, bytes] = {}
        self._members = self._read()
        self._failure: InputError | None = None

    def fetch(self, name: str) -> bytes:
        while name not in self._waiting:
            member = self._advance()
            if member is None:
                raise InputError(f"{self.path} holds no {name}: fetch the archive again")
            if member[0] in self.wanted:
                self._waiting[member[0]] = member[1]
        return self._waiting.pop(name)

    def _advance(self) -> tuple[str, bytes] | None:
        """The next file; None after the last. Damage is permanent: what lies behind it is lost."""
        if self._failure is not None:
            raise self._failure
        try:
            return next(self._members, None)
        except (tarfile.TarError, lzma.LZMAError, EOFError, OSError) as error:
            reason = f"{self.path} is damaged or cut short ({error}): fetch the archive again"
            self._failure = InputError(reason)
            raise self._failure from error

    def _read(self) -> Iterator[tuple[str, bytes]]:
        with tarfile.open(self.path, "r|xz") as archive:
            for member in archive:
                content = archive.extractfile(member)
                if content is not None:
                    yield member.name, content.read()


class OfficialZip:
    """The archive that CMU offers: ``all_asfamc/subjects/SS/SS.asf`` and ``.../SS_TT.amc``.

    Files are known by their last name alone, which the database never uses twice.

    Raises:
        InputError: no zip archive, or one that is cut short.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError) as error:
            raise InputError(f"{path} is damaged or cut short ({error}): fetch the archive again") from error
        self.names = [name for name in self._archive.namelist() if name.endswith((".asf", ".amc"))]
        self._members = {PurePosixPath(name).name: name for name in self.names}

    def fetch(self, name: str) -> bytes:
        member = self._members.get(PurePosixPath(name).name)
        if member is None:
            raise InputError(f"{self.path} holds no {PurePosixPath(name).name}: correct {INDEX}")
        try:
            return self._archive.read(member)  # compares the member's CRC-32
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
            raise InputError(f"{self.path}: {member} is damaged ({error}): fetch the archive again") from error

    def check(self) -> None:
        """Read all of it and compare its checksums.

        Raises:
            InputError: a file is damaged, or there are none.
        """
        if not self.names:
            raise InputError(f"{self.path} holds no ASF and AMC files")
        for name in self.names:
            self.fetch(name)


def check_official_zip(path: Path) -> None:
    """Refuse an archive that is cut short, damaged or another one.

    Raises:
        InputError: it is; says where.
    """
    OfficialZip(path).check()


def file_paths(raw: Path, entries: list[CmuEntry]) -> list[Path]:
    """Where all that an index names may lie: in archives, or unpacked."""
    wanted = sorted(_wanted(entries))
    archives = [f"cmu_{top}.tar.xz" for top in sorted({name.split("/")[0] for name in wanted})]
    return [raw / name for name in (OFFICIAL_ZIP, *archives, *wanted)]


def _wanted(entries: list[CmuEntry]) -> set[str]:
    return {name for entry in entries for name in (entry.file, entry.skeleton) if name}


def find_files(raw: Path, entries: list[CmuEntry]) -> dict[str, Files]:
    """For each top folder named in the index, the unpacked folder or else its archive.

    Raises:
        InputError: there is neither.
    """
    wanted = _wanted(entries)
    sources: dict[str, Files] = {}
    for top in sorted({name.split("/")[0] for name in wanted}):
        archive = raw / f"cmu_{top}.tar.xz"
        if (raw / top).is_dir():
            sources[top] = Folder(raw)
        elif archive.is_file():
            sources[top] = TarArchive(archive, wanted)
        elif top == "asfamc" and (raw / OFFICIAL_ZIP).is_file():
            sources[top] = OfficialZip(raw / OFFICIAL_ZIP)
        else:
            raise InputError(f"{raw} has neither a folder {top!r} nor {archive.name}: {INDEX} lists files in it")
    return sources
