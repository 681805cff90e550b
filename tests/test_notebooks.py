"""The notebooks are valid, committed without outputs, and run; what their prose says of their figures holds."""

import re
from pathlib import Path

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "notebooks"
# Run after a notebook, in its kernel: what it says in words about what it computes.
CLAIMS = {
    "quickstart": """
for name in ("mpjpe", "pa_mpjpe"):
    assert found[f"val/{name}"] < found[f"val/mean_pose/{name}"]
""",
    "frame_rate": """
for told, ignored in zip(moved["dt"][1:], moved["dt ignored"][1:], strict=True):
    assert told < ignored / 2
assert errors["dt"].max() - errors["dt"].min() < (errors["dt ignored"] - errors["dt"]).max()
assert apart < 1e-5
""",
}
PICTURES = {"quickstart": 2, "frame_rate": 4}


def test_every_notebook_is_tested() -> None:
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == set(CLAIMS)


@pytest.mark.parametrize("name", CLAIMS)
def test_a_notebook_is_valid_and_has_no_outputs(name) -> None:
    notebook = read(name)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
        assert not cell.metadata


@pytest.mark.parametrize("name", CLAIMS)
def test_links_lead_somewhere(name) -> None:
    links = [link for cell in read(name).cells for link in re.findall(r"\]\(([^)#]+)\)", cell.source)]
    assert links
    assert [link for link in links if not (FOLDER / link).is_file()] == []


@pytest.mark.parametrize("name", CLAIMS)
def test_a_notebook_runs_as_it_says(name, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "jupyter"))
    notebook = read(name)
    notebook.cells.append(nbformat.v4.new_code_cell(CLAIMS[name]))
    # Without folders to look for others in, "python3" is ipykernel's own: of the interpreter that runs the tests.
    kernel = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))
    client = NotebookClient(notebook, km=kernel, timeout=300, resources={"metadata": {"path": str(tmp_path)}})
    client.execute(cleanup_kc=True)  # by default it would leave a kernel that it was given running
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == PICTURES[name]


def read(name: str) -> nbformat.NotebookNode:
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=nbformat.NO_CONVERT)
