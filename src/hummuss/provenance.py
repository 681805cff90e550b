"""Where a figure comes from: commit, device, checkpoint and how that was chosen."""

import hashlib
import os
import platform
import subprocess
from pathlib import Path

import torch

SHORT_HASH = 12
# Whether a checkpoint was chosen on the test split, in words.
SELECTED_ON_TEST = {None: "not recorded", True: "yes", False: "no"}


def git_commit() -> str | None:
    """Commit of the checkout this package runs from, with ``-dirty`` where files differ but the results pages.

    Code that travels without its history names it in the environment variable HUMMUSS_COMMIT. None where neither is.
    """
    if "HUMMUSS_COMMIT" in os.environ:
        return os.environ["HUMMUSS_COMMIT"]
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        commit = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
        # What commands write there decides nothing; a second command would else call the first one's page a change.
        status = [*git, "status", "--porcelain", "-uno", "--", ":(top)", ":(top,exclude)docs/results"]
        changed = subprocess.run(status, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit.stdout.strip() + ("-dirty" if changed.stdout.strip() else "")


def commit_name() -> str:
    """The same for pages and tables, ``unknown`` where there is none."""
    return git_commit() or "unknown"


def device_name(device: torch.device) -> str:
    """What the run ran on, for people: the GPU's name, or the processor's and its threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{processor_name()}, {torch.get_num_threads()} threads"


def processor_name(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The processor by Linux's name for it; elsewhere, or where Linux has none, by its instruction set."""
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next((name for name in named if name), f"{platform.machine()} CPU")


def file_hash(path: Path) -> str:
    """The first 12 digits of a file's SHA-256."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:SHORT_HASH]


def code_hash(*parts: str) -> str:
    """The first 12 digits of the SHA-256 of some of this package's packages and files: changes with any of them."""
    root, digest = Path(__file__).parent, hashlib.sha256()
    for part in parts:
        for path in [root / part] if (root / part).is_file() else sorted((root / part).rglob("*")):
            if path.suffix in (".py", ".npz"):
                digest.update(f"{path.relative_to(root).as_posix()}\0{path.stat().st_size}\0".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()[:SHORT_HASH]


def selection(path: Path) -> str:
    """How a checkpoint was chosen, out of what Lightning's ModelCheckpoint left in it.

    A file that is the best so far by its own record is the best of a metric, or the last epoch's where none was
    monitored; ``last.ckpt`` is the last; what else there is was picked by whoever gave its name.
    """
    states = torch.load(path, map_location="cpu", weights_only=True, mmap=True).get("callbacks", {})
    for key, state in states.items():
        if not key.startswith("ModelCheckpoint"):
            continue
        monitor = state.get("monitor")
        if Path(state.get("best_model_path", "")).name == path.name:
            return f"best {monitor}" if monitor else "last"
        if path.stem == "last":
            return "last"
    return "picked by hand"
