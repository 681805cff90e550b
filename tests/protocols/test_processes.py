"""Two processes find together what one finds, also where both are shown a clip (as distributed samplers do)."""

import subprocess
import sys
from pathlib import Path


def test_two_processes_find_what_one_finds(tmp_path: Path) -> None:
    script, rendezvous = str(Path(__file__).with_name("process.py")), f"file://{tmp_path / 'rendezvous'}"
    both = [
        subprocess.Popen([sys.executable, script, str(rank), rendezvous], stdout=-1, stderr=-1, text=True)
        for rank in (0, 1)
    ]
    try:
        for process in both:
            out, errors = process.communicate(timeout=120)
            assert process.returncode == 0, errors
            assert out == "agree\n"
    finally:
        for process in both:
            process.kill()
