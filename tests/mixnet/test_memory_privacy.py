"""No program that opens keys leaves its memory to a core dump or to another process."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from mixnet.memory_privacy import DEBUG

ROOT = Path(__file__).parents[2]
ROOMS = ("mixnet", "mixnode")
# It writes the list of commands; it starts others; it decodes what strangers made, and has nothing else in memory.
WITHOUT_KEYS = {"mixnet/overview.py", "mixnet/deploy/soak.py", "mixnet/client/media/child.py"}
SAY = (
    "import ctypes, resource, sys\n"
    "def say(*_given, **_named):\n"
    "    dumpable = ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) if sys.platform == 'linux' else 0\n"
    "    print(dumpable, *resource.getrlimit(resource.RLIMIT_CORE), flush=True)\n"
    "    raise SystemExit\n"
)
PROGRAMS = {  # the step after which there may be keys, and how the program is begun
    "mixnet/__main__.py": "import mixnet.cli as it; it.build = say; sys.argv = ['mixnet', 'client', 'list']; it.main()",
    "mixnode/__main__.py": "import mixnode.__main__ as it; it.load_config = say; it.main(['config.toml'])",
    "mixnode/worker.py": "import mixnode.worker as it; it.socket.socket = say; it.main(['mixnet'])",
    "mixnet/directory/__main__.py": (
        "import mixnet.directory.__main__ as it; it.load_config = say; "
        "sys.argv = ['directory', 'config.toml']; it.main()"
    ),
    "mixnet/client/__main__.py": "import mixnet.client.__main__ as it; it.run = say; it.main(['profile'])",
    "mixnet/deploy/background.py": "import mixnet.deploy.background as it; it.os.fork = say; it.main(None, 0)",
}
PRIVATE = "0 0 0"


def said_by(program, **environment):
    done = subprocess.run(
        [sys.executable, "-c", SAY + program],
        capture_output=True,
        text=True,
        check=True,
        stdin=subprocess.DEVNULL,
        cwd=ROOT,
        env={**os.environ, DEBUG: "", **environment},
    )
    return done.stdout.strip()


@pytest.mark.parametrize("program", PROGRAMS)
def test_each_program_keeps_its_memory_private_before_it_opens_anything(program):
    assert said_by(PROGRAMS[program]) == PRIVATE


def test_no_program_is_forgotten():
    found = {
        str(path.relative_to(ROOT))
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        if "benchmarks" not in path.parts
        if path.name == "__main__.py" or '__name__ == "__main__"' in path.read_text()
    }
    assert found - WITHOUT_KEYS == set(PROGRAMS)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such mark")
def test_who_debugs_is_let_alone():
    assert said_by(PROGRAMS["mixnet/client/__main__.py"], **{DEBUG: "1"}).startswith("1 ")
    assert said_by(PROGRAMS["mixnet/client/__main__.py"], **{DEBUG: "0"}) == PRIVATE


def test_a_crash_leaves_no_core_dump(tmp_path):
    program = "import os; from mixnet.memory_privacy import keep_memory_private as keep; keep(); os.abort()"
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    _, status = os.waitpid(process.pid, 0)
    process.returncode = status
    assert os.WIFSIGNALED(status)
    assert not os.WCOREDUMP(status)
    assert not list(tmp_path.iterdir())


LOOK = """
import os, sys
from pathlib import Path
import mixnet.files, mixnet.sockets, mixnet.status, deploy.processes
from mixnet.client.profile.atomic_file import write_new
from mixnet.memory_privacy import keep_memory_private
folder = Path(sys.argv[1])
if os.geteuid() == 0:  # root may look at everything
    os.chown(folder, 65534, 65534)
    os.chdir("/")
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
keep_memory_private()
write_new(folder / "new", b"content")
assert (folder / "new").read_bytes() == b"content"
deep = folder / ("d" * 100)
deep.mkdir()
with mixnet.sockets.listening(deep / "socket") as listening:
    assert listening.getsockname().startswith("/proc/self/fd/")
assert mixnet.status.process_figures()["memory_bytes"] > 0
me = deploy.processes.identify(os.getpid())
assert me
if os.fork() == 0:
    assert deploy.processes.alive(me)
    try:
        open(f"/proc/{os.getppid()}/mem", "rb")
    except PermissionError:
        os._exit(0)
    os._exit(1)
assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_the_memory_is_closed_to_others_and_our_own_looks_into_proc_work_all_the_same():
    """The kernel gives the files of such a process in /proc to root: those that we read are everybody's, or our own."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # which any user can reach
        program = [sys.executable, "-c", LOOK, folder]
        done = subprocess.run(program, capture_output=True, text=True, cwd=ROOT, env={**os.environ, DEBUG: ""})  # noqa: PLW1510
    assert (done.returncode, done.stderr) == (0, "")
