"""Two processes that share the data compute what one computes on all of it."""

import subprocess
import sys
from pathlib import Path


def test_two_processes_give_what_one_gives(tmp_path: Path) -> None:
    script, rendezvous = str(Path(__file__).with_name("process.py")), f"file://{tmp_path / 'rendezvous'}"
    both = [
        subprocess.Popen([sys.executable, script, str(rank), rendezvous], stdout=-1, stderr=-1, text=True)
        for rank in (0, 1)
    ]
    try:
        for process in both:
            out, errors = process.communicate(timeout=120)
            assert process.returncode == 0, errors
            assert out == "23 metrics agree\n"
    finally:
        for process in both:
            process.kill()
            process.communicate()  # reaps it, which an unraised warning would else fail a later test over
