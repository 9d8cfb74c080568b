# SPDX-License-Identifier: BSD-3-Clause
"""Test cases for whole programs: each function named test_... is one, its docstring the line printed."""

import contextlib
import os
import pty
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback

UDMA = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else "udma"

# Who runs the tests under nohup, or in the background, has these ignored; the programs would inherit
# that, and heed it: a case that sends one would wait for ever.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)


class Skip(Exception):
    """Raised by a case that cannot run here; says why."""


def expect(condition, what):
    """As assert, but also with -O, and with everything that is needed to understand it."""
    if not condition:
        raise AssertionError(what)


def environment(**more):
    """The environment of a user who has asked for nothing."""
    kept = {k: v for k, v in os.environ.items()
            if k not in ("UDMA_EMULATE", "COLUMNS", "SUDO_USER")}
    kept.update(more)
    return kept


def udma(*args, status=0, env=None, program=UDMA, **options):
    """Runs the program to its end; what it prints comes back as text. Its status may be None: any."""
    options.setdefault("stdin", subprocess.DEVNULL)
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("stderr", subprocess.PIPE)
    done = subprocess.run([program, *args], env=env or environment(), errors="surrogateescape",
                          **options)
    expect(status in (None, done.returncode),
           f"udma {args} ended with {done.returncode}, not {status}:\n{done.stdout}{done.stderr}")
    return done


@contextlib.contextmanager
def without_privileges():
    """Yields the options that run the program as an ordinary user, where a test runs as root."""
    if os.getuid() != 0:
        yield {}
        return
    options = {"user": 65534, "group": 65534, "extra_groups": [], "cwd": "/"}
    if subprocess.run(["test", "-x", UDMA], check=False, **options).returncode != 0:
        raise Skip("the user nobody cannot reach the program")
    with tempfile.TemporaryDirectory() as counts:
        # A build that counts lines wants to write beside its objects, which are not nobody's.
        os.chmod(counts, 0o777)
        yield {"env": environment(GCOV_PREFIX=counts), **options}


def start(*args, env=None, **options):
    """Starts the program; stdout and stderr are pipes of bytes unless told otherwise."""
    options.setdefault("stdin", subprocess.DEVNULL)
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("stderr", subprocess.PIPE)
    return subprocess.Popen([UDMA, *args], env=env or environment(), **options)


def end(process, status):
    """Waits for a started program. Returns its stderr as text."""
    _, errors = process.communicate()
    errors = errors.decode(errors="surrogateescape")
    expect(process.returncode == status,
           f"ended with {process.returncode}, not {status}:\n{errors}")
    return errors


def on_terminal(*args, status=0, stdout=None, **more):
    """Runs the program on a terminal. Returns the lines that it printed there."""
    ours, theirs = pty.openpty()
    with subprocess.Popen([UDMA, *args], env=environment(**more), stdin=subprocess.DEVNULL,
                          stdout=stdout or theirs, stderr=theirs) as process:
        os.close(theirs)
        text = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            text += part
    os.close(ours)
    expect(process.returncode == status, f"ended with {process.returncode}: {text}")
    return text.decode().replace("\r\n", "\n").splitlines()


def one_error_line(errors, *parts):
    """Checks that an error is one line, of the program, and names what it has to."""
    lines = errors.splitlines()
    expect(len(lines) == 1 and lines[0].startswith("udma"), f"one error line expected:\n{errors}")
    for part in parts:
        expect(part in lines[0], f"'{part}' is missing in: {lines[0]}")


class Cases:
    """The cases that have run so far."""
    count = failed = 0


@contextlib.contextmanager
def case(name):
    """Around a case: prints its line of TAP, and goes on behind it when it has failed."""
    Cases.count += 1
    try:
        yield
        print(f"ok {Cases.count} - {name}")
    except Skip as reason:
        print(f"ok {Cases.count} - {name} # SKIP {reason}")
    except Exception:  # pylint: disable=broad-except
        Cases.failed += 1
        for line in traceback.format_exc().splitlines():
            print(f"# {line}".encode(errors="replace").decode())
        print(f"not ok {Cases.count} - {name}")
    sys.stdout.flush()


def run(module):
    """Runs the cases of a module in the order in which they stand there, and prints TAP."""
    cases = [f for name, f in vars(module).items() if name.startswith("test_")]
    print(f"1..{len(cases)}")
    for function in cases:
        folder = tempfile.mkdtemp(prefix="udma-test-")
        back = os.getcwd()
        os.chdir(folder)
        try:
            with case(function.__doc__.splitlines()[0]):
                function()
        finally:
            os.chdir(back)
            shutil.rmtree(folder, ignore_errors=True)
    sys.exit(1 if Cases.failed else 0)
