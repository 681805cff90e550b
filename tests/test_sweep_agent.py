"""`wandb sweep` and `wandb agent` run a sweep of configs/sweeps, against a local stand-in for the W&B service."""

import json
import os
import random
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
SWEEP, AGENT, ENTITY, PROJECT = "sweep1", "agent1", "local", "hummuss"


class SweepServer(ThreadingHTTPServer):
    """As much of the service's GraphQL as the two commands speak.

    Hands out runs one at a time, with parameters drawn at random from the lists of the sweep's ``values``.

    Args:
        runs: how many, before the agent is told to exit.

    Attributes:
        config: the sweep that was registered.
        given: the parameters of each run that was handed out.
        unknown: queries that this server has no answer to.
    """

    daemon_threads = True

    def __init__(self, runs: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.runs, self.random = runs, random.Random(0)
        self.config: dict[str, Any] = {}
        self.given: list[dict[str, Any]] = []
        self.unknown: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def answer(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        """The data of a GraphQL answer."""
        if "upsertSweep" in query:
            self.config = yaml.safe_load(variables["config"])
            project = {"id": "1", "name": PROJECT, "entity": {"id": "1", "name": ENTITY}}
            return {"upsertSweep": {"sweep": {"name": SWEEP, "project": project}, "configValidationWarnings": []}}
        if "createAgent" in query:
            return {"createAgent": {"agent": {"id": AGENT}}}
        if "agentHeartbeat" in query:
            busy = any(json.loads(variables.get("runState") or "{}").values())
            commands = [] if busy else [self._next()]
            return {"agentHeartbeat": {"agent": {"id": AGENT}, "commands": json.dumps(commands)}}
        if "sweep(" in query:
            sweep = {
                "id": SWEEP, "name": SWEEP, "method": self.config["method"], "state": "RUNNING", "description": None,
                "config": yaml.safe_dump(self.config), "createdAt": "2026-01-01T00:00:00Z", "heartbeatAt": None,
                "updatedAt": None, "earlyStopJobRunning": False, "bestLoss": None, "controller": None,
                "scheduler": None, "runs": {"edges": []},
            }  # fmt: skip
            return {"project": {"sweep": sweep}}
        if "viewer" in query or "serverInfo" in query:
            viewer = {"id": "1", "username": ENTITY, "entity": ENTITY, "flags": "{}", "teams": {"edges": []}}
            versions = {"cliVersionInfo": {"max_cli_version": "99"}, "latestLocalVersionInfo": None, "features": []}
            return {"viewer": viewer | {"email": "", "name": ENTITY, "admin": False}, "serverInfo": versions}
        self.unknown.append(query)
        return {}

    def _next(self) -> dict[str, Any]:
        if len(self.given) == self.runs:
            return {"type": "exit"}
        choices = {name: self.random.choice(limits["values"]) for name, limits in self.config["parameters"].items()}
        self.given.append(choices)
        arguments = {name: {"value": value} for name, value in choices.items()}
        return {
            "type": "run", "run_id": f"run{len(self.given)}", "program": self.config["program"], "args": arguments,
        }  # fmt: skip


class _Handler(BaseHTTPRequestHandler):
    server: SweepServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "{}")
        answer = json.dumps({"data": self.server.answer(body.get("query", ""), body.get("variables") or {})}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        """Say nothing: pytest shows what the commands say."""


@contextmanager
def serving(runs: int) -> Iterator[SweepServer]:
    """A server that answers while the context is open."""
    with SweepServer(runs) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


SMALL = [
    "--model.init_args.backbone.init_args.modes=2", "--data.init_args.frames=5", "--data.init_args.batch_size=2",
    "--data.init_args.windows_per_epoch=4", "--data.init_args.val_windows=2", "--trainer.max_epochs=1",
    "--trainer.log_every_n_steps=1", "--trainer.enable_progress_bar=false",
]  # fmt: skip


@pytest.mark.agent
def test_an_agent_runs_a_sweep(tmp_path: Path) -> None:
    """`wandb sweep` and `wandb agent` themselves, three runs: `make sweep-check`."""
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    sweep = yaml.safe_load((ROOT / "configs/sweeps/size.yaml").read_text())
    backbone = "model.init_args.backbone.init_args"
    # As in the file, but small; the server draws from lists.
    sweep["parameters"] |= {f"{backbone}.dim": {"values": [8, 16, 24, 32]}, f"{backbone}.depth": {"values": [1, 2]}}
    sweep["parameters"]["model.init_args.learning_rate"] = {"values": [1e-3, 2e-3]}
    sweep["command"] = [*sweep["command"][:-1], *SMALL, "${args}"]
    (tmp_path / "sweep.yaml").write_text(yaml.safe_dump(sweep))
    with serving(runs=3) as server:
        scripts = str(Path(sys.executable).parent)
        environment = os.environ | {
            "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}", "WANDB_BASE_URL": server.url, "WANDB_MODE": "offline",
            "WANDB_API_KEY": "0" * 40, "WANDB_ENTITY": "local", "WANDB_PROJECT": "hummuss",
        }  # fmt: skip
        said = ""
        for command in (["sweep", "sweep.yaml"], ["agent", "local/hummuss/sweep1"]):
            ended = subprocess.run(
                [f"{scripts}/wandb", *command], cwd=tmp_path, env=environment, timeout=600, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
            said += ended.stdout
            assert ended.returncode == 0, said
    assert server.unknown == []
    assert len({json.dumps(given) for given in server.given}) == 3, "the draws differ"
    for number, given in enumerate(server.given, start=1):
        folder = tmp_path / "runs" / "sweeps" / "size" / str(number)
        assert (folder / "summary.json").exists(), said
        config = yaml.safe_load((folder / "config.yaml").read_text())
        for name, value in given.items():
            found = config
            for key in name.split("."):
                found = found[key]
            assert found == value
        (run,) = folder.glob(f"wandb/offline-run-*-run{number}")
        sweep_id, summary = read(run)
        assert sweep_id == SWEEP
        best = json.loads((folder / "summary.json").read_text())["val"]["mpjpe"]
        assert summary[sweep["metric"]["name"]] == pytest.approx(best, abs=1e-3), "of the best checkpoint"


def read(run: Path) -> tuple[str, dict[str, Any]]:
    """The sweep that an offline W&B run belongs to, and the summary that it would send."""
    from wandb.proto.wandb_internal_pb2 import Record  # takes a second

    (file,) = run.glob("*.wandb")
    sweep, summary = "", {}
    for data in records(file.read_bytes()):
        record = Record()
        record.ParseFromString(data)
        sweep = record.run.sweep_id or sweep
        summary |= {
            item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.summary.update
        }
    return sweep, summary


def records(data: bytes) -> Iterator[bytes]:
    """Records of a W&B log: LevelDB's log format after seven bytes of W&B's own.

    Source: https://github.com/google/leveldb/blob/main/doc/log_format.md
    """
    block, header, whole, end = 32768, 7, 1, 4
    at, record = 7, b""
    while at + header <= len(data):
        left = block - at % block
        if left < header:  # filled up with zeros
            at += left
            continue
        length, kind = struct.unpack_from("<HB", data, at + 4)  # after a checksum
        record += data[at + header : at + header + length]
        at += header + length
        if kind in (whole, end):
            yield record
            record = b""
