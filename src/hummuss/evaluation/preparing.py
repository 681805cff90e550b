"""What preparing a dataset of a given size costs, shown on a stand-in for AMASS: many clips of the free body, posed."""

import json
import subprocess
import sys
import tempfile
import time
from functools import lru_cache, partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from hummuss.body.smpl import BodyModel
from hummuss.data.motion import MotionClip
from hummuss.data.preparing import prepare
from hummuss.data.readers.task import RawDataset, ReadTask
from hummuss.data.store import INDEX, MotionStore, StoreWriter
from hummuss.process_memory import peak_resident_mb, resident_mb

CLIP_FRAMES, FILE_CLIPS, SUBJECT_CLIPS = 100, 20, 40

Row = dict[str, Any]


def stand_in(frames: int) -> RawDataset:
    """A dataset of so many frames, made up as it is read: 100 in a clip, 20 clips in a file, 40 of a subject."""
    clips = -(-frames // CLIP_FRAMES)
    starts = range(0, clips, FILE_CLIPS)
    tasks = (ReadTask(f"file {start}", partial(_read, start, min(start + FILE_CLIPS, clips))) for start in starts)
    return RawDataset(len(starts), tasks)


def _read(start: int, end: int) -> list[MotionClip]:
    return [_clip(number) for number in range(start, end)]


def _clip(number: int) -> MotionClip:
    """Every joint swings on its own; joints come from the posed body, as they do for AMASS."""
    rng, body = np.random.default_rng(number), _body()
    subject = number // SUBJECT_CLIPS
    betas = np.random.default_rng(subject).normal(size=10).astype(np.float32)
    phase = rng.uniform(0, 2 * np.pi, (24, 3)) + np.linspace(0, 2 * np.pi, CLIP_FRAMES)[:, None, None]
    pose = (rng.uniform(0, 0.5, (24, 3)) * np.sin(phase)).astype(np.float32)
    transl = np.zeros((CLIP_FRAMES, 3), np.float32)
    matrices = Rotation.from_rotvec(pose.reshape(-1, 3)).as_matrix().reshape(-1, 24, 3, 3).astype(np.float32)
    with torch.no_grad():
        shape = torch.from_numpy(betas).expand(CLIP_FRAMES, 10)
        posed = body(torch.from_numpy(matrices), shape, torch.from_numpy(transl), torch.zeros(0, dtype=torch.long))
    return MotionClip(
        name=f"{subject}/{number:06d}",
        sequence=f"stand-in/{number:06d}",
        subject=str(subject),
        split="train",
        fps=60.0,
        joints3d=posed.joints17.numpy(),
        smpl_pose=pose,
        betas=betas,
        transl=transl,
        body=body.name,
    )


@lru_cache
def _body() -> BodyModel:
    return BodyModel()


def measure(frames: int) -> Row:
    """Prepare the stand-in in a process of its own, which one process reads and writes; the store is removed again."""
    done = subprocess.run(
        [sys.executable, "-m", "hummuss.evaluation.preparing", str(frames)],
        stdout=subprocess.PIPE,  # what goes wrong there is told where this process tells it
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def _measure(frames: int, folder: Path) -> Row:
    dataset, path = stand_in(frames), folder / "store"
    before, start = resident_mb(), time.perf_counter()
    with StoreWriter(path, {"dataset": "stand-in"}, {"frames": frames}) as writer:
        summary = prepare(dataset.files, writer, "stand-in", workers=1)
    seconds, peak = time.perf_counter() - start, peak_resident_mb()
    opened = []
    for _ in range(5):
        start = time.perf_counter()
        store = MotionStore(path)
        opened.append(time.perf_counter() - start)
    return {
        "frames": sum(summary.frames.values()),
        "clips": len(store),
        "files": dataset.total,
        "before_mb": round(before),
        "peak_mb": round(peak),
        "seconds": round(seconds, 1),
        "frames_per_second": round(frames / seconds),
        "store_mb": round(sum(file.stat().st_size for file in path.iterdir()) / 1e6, 1),
        "index_mb": round((path / INDEX).stat().st_size / 1e6, 2),
        "open_ms": round(1000 * median(opened), 1),
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        print(json.dumps(_measure(int(sys.argv[1]), Path(temporary))))
