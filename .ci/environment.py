"""Make or refresh the project's own environment in .venv, from a lock file with hashes.

usage: python3 .ci/environment.py [--dev]

Runs with any Python 3.11+ that has pip; needs nothing else. Does nothing when .venv is up to date.
"""

import hashlib
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def run(command: list[str], what: str) -> None:
    """Run pip, showing how far it is; on failure show what it said."""
    started, seen, said = time.monotonic(), 0, []
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT)
    assert process.stdout is not None
    shown = 0.0
    for line in process.stdout:
        said.append(line)
        seen += line.startswith("Collecting ")
        now = time.monotonic()
        if now - shown > (0.2 if sys.stdout.isatty() else 5.0):
            shown = now
            state = "installing" if line.startswith("Installing collected") else f"{seen} packages"
            end = "\r" if sys.stdout.isatty() else "\n"
            print(f"  {what}: {state}, {now - started:.0f} s   ", end=end, flush=True)
    if process.wait() != 0:
        print("".join(said[-25:]), file=sys.stderr)
        sys.exit(f"{what} failed. The lines above are pip's own.")
    print(f"  {what}: done in {time.monotonic() - started:.0f} s          ", flush=True)


def main() -> None:
    """Make .venv if it is missing or older than the lock file."""
    if sys.version_info < (3, 11):
        sys.exit(
            f"finops_kit needs Python 3.11 or newer; this is {sys.version.split()[0]}. Try: make PYTHON=python3.11 demo"
        )
    dev = "--dev" in sys.argv[1:]
    lock = ROOT / ("requirements-dev.lock" if dev else "requirements.lock")
    wanted = hashlib.sha256(lock.read_bytes() + (ROOT / "pyproject.toml").read_bytes()).hexdigest()
    stamp = VENV / ("finops-dev.stamp" if dev else "finops-run.stamp")
    if stamp.is_file() and stamp.read_text() == wanted and PYTHON.exists():
        return
    print(f"Making the environment in .venv from {lock.name} (a minute or two the first time)", flush=True)
    pip = [str(PYTHON), "-m", "pip"]
    if (
        not PYTHON.exists()
        and subprocess.run([sys.executable, "-m", "venv", str(VENV)], capture_output=True).returncode
    ):
        # a Python whose distribution split ensurepip off: use the pip that is there, on the new environment
        subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", str(VENV)], check=True)
    if subprocess.run([*pip, "--version"], capture_output=True).returncode:
        pip = [sys.executable, "-m", "pip", "--python", str(PYTHON)]
    install = [*pip, "install", "--disable-pip-version-check", "--progress-bar", "off"]
    run([*install, "--require-hashes", "-r", str(lock)], "packages")
    run([*install, "--no-deps", "--no-build-isolation", "--editable", "."], "finops_kit")
    stamp.write_text(wanted)


if __name__ == "__main__":
    main()
