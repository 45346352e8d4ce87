#!/usr/bin/env python3
"""Builds the image without Docker and runs it as Docker would: each step of the Dockerfile, in a root of its own.

    sudo python3 tools/image.py                  the machine's own /usr under each stage; about a minute
    sudo python3 tools/image.py --base debian    the Debian of the base image, by debootstrap

Then, with no network but a loopback of its own, a read-only root, no capabilities and the user the Dockerfile names:
a config.yaml is put into the volume, the entrypoint started, the health check asked, commands run beside it, the stop
signal sent, and all of it once more on the same volume. Exit 1 with a sentence when something is not as it should be.

Why: where Docker can't run, a Dockerfile is a text nobody has tried. What stays untried here is what Docker adds (its
base images, layers, seccomp profile, uid maps). Everything happens in mount, process and network namespaces that end
with this program, below one temporary folder. Needs root, unshare and chroot (Linux); standard library only.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # `python -P` leaves it out
from dockerfile import NotUnderstoodError, Stage, Step, context, environment, parse

ROOT = Path(__file__).resolve().parent.parent
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # what base images have
HANDED = ("PIP_", "NPM_CONFIG_", "NODE_EXTRA_CA_CERTS", "SSL_CERT_", "REQUESTS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY")
CONFIG = """listen: 0.0.0.0:8080
public_url: http://127.0.0.1:8080
data_dir: store
servers: [{name: media, upstream: "http://127.0.0.1:8096", policy: hls}]
"""
STOP_SECONDS = 40.0


class WrongError(Exception):
    """The sentence that is shown."""


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--base", choices=("host", "debian"), default="host")
    options.add_argument("--inside", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.inside is None:
        sys.exit(outside(sys.argv[1:]))
    folder = Path(chosen.inside)
    stages = parse((ROOT / "Dockerfile").read_text())
    if (folder / "built").exists():
        _loopback_up()
        run(stages[-1], folder)
    else:
        build(stages, folder, chosen.base)
        (folder / "built").touch()


def outside(arguments: Sequence[str]) -> int:
    """Build with the machine's network, then run without it, each in namespaces of its own."""
    if os.geteuid() != 0:
        raise WrongError("this needs root: it mounts and changes roots, in namespaces of its own")
    folder = Path(tempfile.mkdtemp(prefix="image-"))
    folder.chmod(0o755)
    unshare = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc"]
    try:
        for more in ([], ["--net"]):
            inside = [sys.executable, str(Path(__file__).resolve()), *arguments, "--inside", str(folder)]
            code = subprocess.run([*unshare, *more, "--", *inside], stdin=subprocess.DEVNULL).returncode
            if code:
                return code
    finally:
        # Mounts ended with their namespaces, so that nothing but this folder is reached from here.
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def say(text: str) -> None:
    print(text, flush=True)


def do(*words: str | Path) -> None:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if done.returncode:
        raise WrongError(f"{' '.join(map(str, words))}: {done.stderr.strip() or done.returncode}")


# --- building ---------------------------------------------------------------------------------------


def build(stages: list[Stage], folder: Path, base: str) -> None:
    roots: dict[str, Path] = {}
    total = sum(len(stage.steps) for stage in stages)
    number = 0
    for stage in stages:
        root = roots[stage.name] = folder / f"stage-{stage.name}"
        say(f"FROM {stage.base}: {lay(root, folder, base if stage.base.startswith('python:') else 'host')}")
        mount_system(root)
        known, work = {"PATH": PATH}, "/"
        for step in stage.steps:
            number += 1
            began = time.monotonic()
            match step.word:
                case "ENV":
                    known = environment([step], known)
                case "WORKDIR":
                    work = step.text
                    (root / work.lstrip("/")).mkdir(parents=True, exist_ok=True)
                case "COPY":
                    copy(step, root, work, roots)
                case "RUN":
                    done = enter(root, step.command, {**known, **handed(), "HOME": "/root"}, work)
                    if done.returncode:
                        raise WrongError(f"line {step.line}: RUN ended with {done.returncode}\n{done.stdout}")
                case _:
                    pass  # for the running container
            say(f"  {number:2}/{total} {step.word} {step.text[:90]} ({time.monotonic() - began:.1f} s)")


def lay(root: Path, folder: Path, base: str) -> str:
    """The root of a stage before its first step; what it stands on, in words."""
    if base == "debian":
        lower = folder / "debian"
        if not lower.exists():
            packages = "python3,python3-venv,python3-pip,python-is-python3,ca-certificates"
            do("debootstrap", "--variant=minbase", f"--include={packages}", "trixie", lower)
        do("cp", "-a", lower, root)
        return f"Debian by debootstrap, with {enter(root, ['python', '--version'], {'PATH': PATH}, '/').stdout.strip()}"
    for name in ("usr", "etc", "proc", "dev", "root", "run", "var/lib", "var/tmp", "home"):
        (root / name).mkdir(parents=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        if (Path("/") / name).is_symlink():
            (root / name).symlink_to(f"usr/{name}")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/usr/sbin/nologin\n")
    (root / "etc/group").write_text("root:x:0:\nnogroup:x:65534:\n")
    for name in ("shadow", "gshadow"):
        (root / "etc" / name).touch(0o600)
    for name in ("nsswitch.conf", "login.defs", "ld.so.cache", "ssl", "alternatives", "ca-certificates"):
        _bring(Path("/etc") / name, root)
    return f"this machine's /usr, with Python {sys.version.split()[0]}"


def mount_system(root: Path) -> None:
    """What every container finds, and the host's /usr below a root that has none; gone with this namespace."""
    (root / "tmp").mkdir(exist_ok=True)
    (root / "tmp").chmod(0o1777)
    if not any((root / "usr").iterdir()):
        _bind("/usr", root / "usr")
        # As in the base image, `python` is in /usr/local/bin.
        if sys.base_prefix == "/usr":
            local = root.parent / "local"
            (local / "bin").mkdir(parents=True, exist_ok=True)
            if not (local / "bin/python").is_symlink():
                (local / "bin/python").symlink_to("/usr/bin/python3")
            _bind(local, root / "usr/local")
        else:
            # And at its own place, where it looks for its shared library.
            (root / sys.base_prefix.lstrip("/")).mkdir(parents=True, exist_ok=True)
            for place in (root / "usr/local", root / sys.base_prefix.lstrip("/")):
                _bind(sys.base_prefix, place)
    do("mount", "-t", "proc", "proc", root / "proc")
    do("mount", "--rbind", "/dev", root / "dev")
    # Where this machine finds names and packages, as a build daemon hands on.
    for name in ("resolv.conf", "hosts", "pip.conf", "npmrc"):
        _bring(Path("/etc") / name, root)
    _bring(Path.home() / ".npmrc", root, "root/.npmrc")
    for name, value in handed().items():
        if "CERT" in name and Path(value).is_file():
            _bring(Path(value), root)


def _bring(source: Path, root: Path, target: str = "") -> None:
    place = root / (target or str(source).lstrip("/"))
    if not source.exists() or place.is_dir():
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, place, symlinks=True, ignore=shutil.ignore_patterns("private"))
    else:
        place.unlink(missing_ok=True)
        shutil.copyfile(source, place)


def _bind(source: str | Path, target: Path, *, writable: bool = False) -> None:
    do("mount", "--bind", source, target)
    if not writable:
        do("mount", "-o", "remount,bind,ro", target)


def handed() -> dict[str, str]:
    """Where this machine gets packages from: proxies, mirrors, certificates."""
    return {name: value for name, value in os.environ.items() if name.upper().startswith(HANDED)}


def copy(step: Step, root: Path, work: str, roots: dict[str, Path]) -> None:
    """A folder gives its contents, a file itself; from the checkout only what .dockerignore lets through."""
    *sources, to = step.words
    place = root / (to if to.startswith("/") else f"{work}/{to}").lstrip("/")
    for source in sources:
        there = roots[step.flags["from"]] / source.lstrip("/") if "from" in step.flags else ROOT / source
        wanted = None if "from" in step.flags else {ROOT / name for name in context(ROOT)}
        known = wanted is None or any(there in (file, *file.parents) for file in wanted)
        if there.is_dir() and known:
            shutil.copytree(there, place, symlinks=True, dirs_exist_ok=True, ignore=_unwanted(wanted))
        elif there.is_file() and known:
            target = place / there.name if to.endswith("/") or len(sources) > 1 else place
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(there, target)
        else:
            raise WrongError(f"line {step.line}: COPY finds no {source} (is it in .dockerignore?)")
    if "from" not in step.flags:
        do("chown", "-R", "0:0", place)


def _unwanted(wanted: set[Path] | None) -> Callable[[str, list[str]], set[str]] | None:
    """For `copytree`: the names in a folder that are not, and hold nothing, of what is wanted."""
    if wanted is None:
        return None
    folders = {folder for file in wanted for folder in file.parents}
    return lambda folder, names: {
        name for name in names if Path(folder) / name not in wanted and Path(folder) / name not in folders
    }


def enter(
    root: Path, command: Sequence[str], known: dict[str, str], work: str, user: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Run to its end below `root`; stdout and stderr together."""
    return subprocess.run(
        inside(root, command, known, work, user), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def inside(root: Path, command: Sequence[str], known: dict[str, str], work: str, user: Sequence[str] = ()) -> list[str]:
    pairs = [f"{name}={value}" for name, value in known.items()]
    return ["chroot", str(root), "env", "-i", "-C", work, *pairs, *user, *command]


# --- running ----------------------------------------------------------------------------------------


def run(stage: Stage, folder: Path) -> None:
    """The container of the last stage, started, asked and stopped; twice on one volume."""
    root = folder / f"stage-{stage.name}"
    mount_system(root)
    known = environment((step for step in stage.steps if step.word == "ENV"), {"PATH": PATH, "HOME": "/"})
    user, work, volume, signal_name, health = (
        needed(stage, word) for word in ("USER", "WORKDIR", "VOLUME", "STOPSIGNAL", "HEALTHCHECK")
    )
    if user in ("root", "0"):
        raise WrongError("the image runs as root")
    bare = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--no-new-privs", "--bounding-set=-all"]
    check = Step(0, "CMD", {}, health.removeprefix("CMD").strip()).command
    main_words = [word for name in ("ENTRYPOINT", "CMD") for word in Step(0, name, {}, needed(stage, name)).words]
    for library in ("hls", "shaka-player"):
        if not (root / f"app/gateway/static/vendor/{library}.min.js").is_file():
            raise WrongError(f"{library}.min.js is not in the image")

    # A new volume begins as a copy of what the image has there; then the operator puts config.yaml in.
    kept = folder / "volume"
    do("cp", "-a", root / volume.lstrip("/"), kept)
    (kept / "config.yaml").write_text(CONFIG)
    do("mount", "--bind", root, root)
    mount_again(root, volume, kept)

    def ask(*words: str) -> subprocess.CompletedProcess[str]:
        return enter(root, words, known, work, bare)

    def healthy() -> bool:
        return ask(*check).returncode == 0

    if ask("touch", "/written").returncode == 0 or ask("touch", "/tmp/written").returncode:  # noqa: S108  # of the image
        raise WrongError("the root should be read-only and /tmp not")
    if ask("python", "-m", "pip", "--version").returncode == 0:
        raise WrongError("there is a pip in the image")
    for turn in ("a new volume", "the same volume again"):
        if healthy():
            raise WrongError("the health check says well before anything runs")
        began = time.monotonic()
        with (folder / "said").open("w") as said:
            process = subprocess.Popen(inside(root, main_words, known, work, bare), stdout=said, stderr=said)
        try:
            while not healthy():
                if process.poll() is not None or time.monotonic() - began > 60:
                    raise WrongError(f"the gateway does not become healthy:\n{(folder / 'said').read_text()}")
                time.sleep(0.2)
            up = time.monotonic() - began
            rights = _status(process.pid)
            for words in (["check"], ["link", "list"], ["doctor", "--help"]):
                done = ask("python", "-m", "gateway", *words)
                if done.returncode:
                    raise WrongError(f"gateway {' '.join(words)} in the container: {done.stdout}")
            began = time.monotonic()
            process.send_signal(signal.Signals[signal_name])
            code = process.wait(STOP_SECONDS)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        if code != 0:
            raise WrongError(f"{signal_name} ended it with {code}:\n{(folder / 'said').read_text()}")
        down = time.monotonic() - began
        say(f"on {turn}: healthy after {up:.1f} s as {rights}, {signal_name} ended it after {down:.1f} s")
        left = [pid for pid in _pids() if pid not in (1, os.getpid())]
        if left:
            raise WrongError(f"processes {left} outlived the gateway")
    strangers = [path for path in kept.rglob("*") if path.stat().st_uid == 0 and path.name != "config.yaml"]
    if strangers or not (kept / "store").is_dir():
        raise WrongError(f"the volume holds what is not the user's: {strangers}")
    say("the image works: every step, the entrypoint, the health check and the stop signal")


def needed(stage: Stage, word: str) -> str:
    step = stage.last(word)
    if step is None:
        raise WrongError(f"the last stage has no {word}")
    return step.text


def mount_again(root: Path, volume: str, kept: Path) -> None:
    """The container's view: nothing can be written but the volume and /tmp."""
    # The bind above hides what was mounted below it.
    mount_system(root)
    do("mount", "-o", "remount,bind,ro", root)
    _bind(kept, root / volume.lstrip("/"), writable=True)
    do("mount", "-t", "tmpfs", "-o", "mode=1777,size=16m", "tmpfs", root / "tmp")


def _status(pid: int) -> str:
    lines = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
    uids, rights, fresh = lines["Uid"].split(), lines["CapEff"].strip(), lines["NoNewPrivs"].strip()
    if "0" in uids or int(rights, 16) != 0 or fresh != "1":
        raise WrongError(f"it runs with uid {uids}, capabilities {rights}, NoNewPrivs {fresh}")
    return f"uid {uids[0]} without capabilities"


def _pids() -> Iterable[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _loopback_up() -> None:
    """A new network namespace has a loopback that is down."""
    import fcntl
    import socket
    import struct

    with socket.socket() as one:
        fcntl.ioctl(one, 0x8914, struct.pack("16sH14s", b"lo", 0x41, b""))  # SIOCSIFFLAGS: up, running


if __name__ == "__main__":
    try:
        main()
    except (WrongError, NotUnderstoodError) as sentence:
        print(f"image: {sentence}", file=sys.stderr)
        sys.exit(1)
