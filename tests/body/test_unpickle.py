"""The restricted unpickler: official files come through, code does not."""

import os
import pickle
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import scipy.sparse

from hummuss.body.unpickle import load_npz, load_pickle
from hummuss.errors import InputError


@pytest.fixture
def chumpy(monkeypatch: pytest.MonkeyPatch):
    """Stand-ins for chumpy's classes under its module names, for writing fixtures only."""
    kinds = {"chumpy": "Variable", "chumpy.ch": "Ch", "chumpy.reordering": "Select"}
    made = []
    for module, name in kinds.items():
        fake = ModuleType(module)
        made.append(type(name, (SimpleNamespace,), {"__module__": module, "__reduce_ex__": object.__reduce_ex__}))
        setattr(fake, name, made[-1])
        monkeypatch.setitem(sys.modules, module, fake)
    return made[1:]


@pytest.mark.parametrize("protocol", [0, 1, 2, 4])
def test_chumpy_objects_become_their_arrays(tmp_path, chumpy, monkeypatch, protocol: int) -> None:
    ch, select = chumpy
    values = np.arange(6.0).reshape(2, 3)
    chosen = select(a=ch(x=values), idxs=np.array([5, 0, 1, 2]), preferred_shape=(2, 2))
    content = {"a": ch(x=values), "b": [ch(x=ch(x=values)), {"c": (chosen, 3)}]}
    path = tmp_path / "body.pkl"
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    for name in ("chumpy", "chumpy.ch", "chumpy.reordering"):
        monkeypatch.delitem(sys.modules, name)  # reading must not need the package
    loaded = load_pickle(path)
    np.testing.assert_array_equal(loaded["a"], values)
    np.testing.assert_array_equal(loaded["b"][0], values)
    np.testing.assert_array_equal(loaded["b"][1]["c"][0], [[5, 0], [1, 2]])


def test_scipy_matrices_under_old_module_names(tmp_path) -> None:
    matrix = scipy.sparse.csc_matrix(np.eye(3))
    content = pickle.dumps({"J_regressor": matrix}, protocol=2)
    path = tmp_path / "body.pkl"
    path.write_bytes(content.replace(b"scipy.sparse._csc\n", b"scipy.sparse.csc\n"))
    assert b"scipy.sparse.csc\n" in path.read_bytes()
    np.testing.assert_array_equal(load_pickle(path)["J_regressor"].toarray(), np.eye(3))


def test_arrays_of_old_and_new_numpy(tmp_path) -> None:
    content = pickle.dumps({"x": np.arange(4), "s": np.float32(3)}, protocol=2)
    for old, new in ((b"numpy._core", b"numpy.core"), (b"numpy._core", b"numpy._core")):
        (tmp_path / "x.pkl").write_bytes(content.replace(old, new))
        loaded = load_pickle(tmp_path / "x.pkl")
        np.testing.assert_array_equal(loaded["x"], np.arange(4))
        assert loaded["s"] == 3


def test_python_2_strings_read_as_latin1(tmp_path) -> None:
    # A Python 2 str pickled with protocol 2: SHORT_BINSTRING of the bytes 'é'.
    (tmp_path / "py2.pkl").write_bytes(b"\x80\x02}q\x00U\x01\xe9q\x01K\x05s.")
    assert load_pickle(tmp_path / "py2.pkl") == {"é": 5}


class Evil:
    def __init__(self, function, argument):
        self.call = function, (argument,)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    ("function", "name"),
    [(os.system, "posix.system"), (eval, "eval"), (__import__, "__import__"), (getattr, "getattr")],
)
def test_code_is_refused_by_name_and_not_run(tmp_path, function, name) -> None:
    marker = tmp_path / "ran"
    path = tmp_path / "evil.pkl"
    path.write_bytes(pickle.dumps({"x": Evil(function, f"touch {marker}")}, protocol=2))
    with pytest.raises(InputError, match=rf"evil.pkl is refused as a pickle: it names .*{name}"):
        load_pickle(path)
    np.savez(tmp_path / "evil.npz", x=np.array([Evil(function, f"touch {marker}")], dtype=object))
    with pytest.raises(InputError, match=rf"evil.npz is refused as a pickle: it names .*{name}"):
        load_npz(tmp_path / "evil.npz")
    assert not marker.exists()


def test_numpy_functions_that_run_code_are_refused(tmp_path) -> None:
    path = tmp_path / "evil.pkl"
    path.write_bytes(b"cnumpy.testing._private.utils\nrunstring\n(S'x=1'\n}tR.")
    with pytest.raises(InputError, match=r"numpy\.testing\._private\.utils\.runstring"):
        load_pickle(path)


def test_npz_with_object_arrays(tmp_path) -> None:
    """VideoPose3D's layout: one object array that holds a nested dict."""
    nested = {"S1": {"Walking": np.ones((3, 2, 2))}}
    np.savez(tmp_path / "data.npz", positions_3d=np.array(nested, dtype=object), plain=np.arange(3))
    loaded = load_npz(tmp_path / "data.npz")
    np.testing.assert_array_equal(loaded["positions_3d"]["S1"]["Walking"], np.ones((3, 2, 2)))
    np.testing.assert_array_equal(loaded["plain"], np.arange(3))


def test_arrays_that_nobody_asked_for_stay_unread(tmp_path) -> None:
    np.savez(tmp_path / "x.npz", poses=np.arange(3), other=np.array([Evil(os.system, "true")], dtype=object))
    assert list(load_npz(tmp_path / "x.npz", only=("poses", "trans"))) == ["poses"]


@pytest.mark.parametrize("cut", [0, 1, 10, 40])
def test_truncated_files_are_named(tmp_path, cut: int) -> None:
    (tmp_path / "x.pkl").write_bytes(pickle.dumps({"x": np.arange(100)})[:cut])
    with pytest.raises(InputError, match=r"x.pkl is a damaged pickle"):
        load_pickle(tmp_path / "x.pkl")
    np.savez(tmp_path / "x.npz", x=np.arange(100))
    (tmp_path / "x.npz").write_bytes((tmp_path / "x.npz").read_bytes()[:cut])
    with pytest.raises(InputError, match=r"x.npz is no .npz archive"):
        load_npz(tmp_path / "x.npz")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_broken_bytes_anywhere_are_refused_or_harmless(tmp_path, save) -> None:
    rng, path = np.random.default_rng(0), tmp_path / "x.npz"
    save(path, x=rng.normal(size=(9, 9)), y=np.zeros((50, 9)), z=np.array({"a": [1]}, dtype=object))
    whole = path.read_bytes()
    refused = 0
    for _ in range(100):
        broken = bytearray(whole)
        for place in rng.integers(len(whole), size=2):
            broken[place] = rng.integers(256)
        path.write_bytes(broken)
        try:
            load_npz(path)
        except InputError as error:
            refused += "x.npz" in str(error)
    assert refused > 60
