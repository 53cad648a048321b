"""Commands of goyong on the folder of a simulated country."""

import subprocess
import sys
from pathlib import Path


def run(program: str, folder: Path, *arguments) -> str:
    """What a command prints; a test of the data that fails, 3, ends nothing."""
    done = subprocess.run([program, "--dir", folder, *arguments], capture_output=True, text=True)
    if done.returncode not in (0, 3):
        sys.exit(f"{' '.join(map(str, arguments))}: {done.stderr.strip()[-500:]}")
    return done.stdout
