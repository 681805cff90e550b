"""The one way pickles are read here: arrays and plain containers, nothing that can run code.

Official SMPL files are Python 2 pickles with ``chumpy`` objects, a package that no longer imports;
VideoPose3D's and P-STMO's ``.npz`` files hold pickled object arrays. Both come through one unpickler that
knows a short list of names.
"""

import io
import pickle
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from numpy.lib import format as npy

from hummuss.errors import DAMAGED_ARCHIVE, InputError

_NUMPY = {
    "numpy": ("dtype", "ndarray"),
    "numpy.core.multiarray": ("_reconstruct", "scalar"),
    "numpy._core.multiarray": ("_reconstruct", "scalar"),
    "numpy.core.numeric": ("_frombuffer",),
    "numpy._core.numeric": ("_frombuffer",),
}
_PLAIN = {
    "collections": ("OrderedDict",),
    "builtins": ("object", "set", "frozenset", "complex", "bytearray", "slice", "range"),
    "__builtin__": ("object", "set", "frozenset", "complex", "bytearray", "slice", "xrange"),
    "_codecs": ("encode",),
}


class _RefusedError(Exception):
    """The pickle is whole but holds what is not let through."""


class _Chumpy:
    """Stands for any chumpy object: keeps its state, from which comes its array."""

    state: dict[str, Any]

    def __new__(cls, *arguments: Any) -> "_Chumpy":
        made = super().__new__(cls)
        made.state = {"x": arguments[0]} if arguments else {}
        return made

    def __init__(self, *arguments: Any) -> None: ...

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.state.update(state)

    def array(self) -> np.ndarray:
        """The value: of ``Ch`` its x; of ``Select`` the elements of a at idxs."""
        held = _plain(self.state.get("x", self.state.get("a")))
        if held is None:
            raise _RefusedError(f"a chumpy object in it holds no array, only {sorted(self.state)}")
        if "idxs" in self.state:
            held = np.ravel(held)[_plain(self.state["idxs"])].reshape(self.state.get("preferred_shape", -1))
        return np.asarray(held)


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: Any, encoding: str) -> None:
        super().__init__(file, encoding=encoding)

    def find_class(self, module: str, name: str) -> Any:
        if module == "chumpy" or module.startswith("chumpy."):
            return _Chumpy
        if module.split(".")[:2] == ["scipy", "sparse"] and name.endswith(("_matrix", "_array")):
            matrix = getattr(scipy.sparse, name, None)  # wherever the module was when the file was written
            if isinstance(matrix, type):
                return matrix
        if name in _NUMPY.get(module, ()):
            return super().find_class(module.replace("numpy.core", "numpy._core"), name)
        if (module, name) in (("copy_reg", "_reconstructor"), ("copyreg", "_reconstructor")):
            return _reconstruct
        if name in _PLAIN.get(module, ()):
            return super().find_class(module, name)
        raise _RefusedError(f"it names {module}.{name}, which is neither an array nor a plain container")


def _reconstruct(kind: Any, base: Any, state: Any) -> Any:
    """Python 2's way to make an instance: only the classes let through above ever arrive here."""
    return kind.__new__(kind) if base is object else base.__new__(kind, state)


def load_pickle(path: str | Path, encoding: str = "latin1") -> Any:
    """Read a pickle of arrays and plain containers, of Python 2 or 3.

    Args:
        path: the file.
        encoding: of Python 2's strings.

    Returns:
        What was pickled; chumpy objects are replaced by their arrays.

    Raises:
        InputError: a damaged file, or one with anything else than arrays, sparse matrices and containers.
    """
    with open(path, "rb") as file:
        return _load(file, Path(path), encoding)


def load_npz(path: str | Path, only: Collection[str] | None = None) -> dict[str, Any]:
    """Read the arrays of an ``.npz`` file; pickled object arrays go through the same unpickler.

    Args:
        path: the file.
        only: names to read, where the file has them; None for all.

    Raises:
        InputError: as `load_pickle`, or a file that is no archive of arrays.
    """
    path, arrays = Path(path), {}
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                name = member.removesuffix(".npy")
                if only is None or name in only:
                    with archive.open(member) as file:
                        arrays[name] = _read_array(io.BytesIO(file.read()), path)
    except DAMAGED_ARCHIVE as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} is no .npz archive of arrays, or a damaged one ({error}): get it again") from error
    return arrays


def _read_array(file: io.BytesIO, path: Path) -> Any:
    version = npy.read_magic(file)
    read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    _, _, dtype = read_header(file)
    if not dtype.hasobject:
        file.seek(0)
        return npy.read_array(file, allow_pickle=False)
    value = _load(file, path, "latin1")
    return value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value


def _load(file: Any, path: Path, encoding: str) -> Any:
    try:
        return _plain(_Unpickler(file, encoding).load())
    except _RefusedError as error:
        raise InputError(f"{path} is refused as a pickle: {error}") from error
    except Exception as error:  # a damaged pickle can raise anything at all
        raise InputError(f"{path} is a damaged pickle ({type(error).__name__}: {error}): get it again") from error


def _plain(value: Any) -> Any:
    """Replace chumpy stand-ins, at any depth of dicts, lists and tuples, by their arrays."""
    if isinstance(value, _Chumpy):
        return value.array()
    if isinstance(value, dict):
        return type(value)((key, _plain(item)) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(item) for item in value)
    return value
