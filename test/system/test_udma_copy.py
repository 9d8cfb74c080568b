# SPDX-License-Identifier: BSD-3-Clause
"""udma copy: contents, kinds of files, and everything that can go wrong on the way."""

import fcntl
import json
import os
import pty
import random
import re
import resource
import shutil
import signal
import stat
import struct
import subprocess
import sys
import termios
import threading
import time
import zlib

from tap import Skip, UDMA, end, environment, expect, one_error_line, run, start, udma

MIB = 1 << 20
EMULATE = "--emulate"
NOBODY = 65534


def random_bytes(size):
    return random.Random(size).randbytes(size)


def make(name, contents):
    with open(name, "wb") as file:
        file.write(contents)
    return contents


def contents_of(name):
    with open(name, "rb") as file:
        return file.read()


def expect_contents(name, contents):
    expect(contents_of(name) == contents, f"'{name}' differs")


def expect_only(*names):
    """No other file in the folder: no temporary one, and no half one."""
    expect(sorted(os.listdir(".")) == sorted(names), f"{os.listdir('.')}, not {names}")


def wait_until(condition):
    """Waits as long as it takes: a time limit is the caller's."""
    while not condition():
        time.sleep(0.005)


def temporary_size():
    """Bytes of the temporary file; 0 without one."""
    return sum(os.stat(name).st_size for name in os.listdir(".") if name.startswith(".udma"))


def crc_of(contents):
    return f"{zlib.crc32(contents):08x}"


# ---- Contents ----


def copy_of_size(size, *options):
    contents = make("src", random_bytes(size))
    answer = udma("copy", "--json", *options, "src", "dst")
    result = json.loads(answer.stdout)
    expect_contents("dst", contents)
    expect(answer.stderr == "", answer.stderr)
    expect(result["bytes"] == size, result)
    expect(result["source_crc32"] == crc_of(contents), result)
    expect(result["destination_crc32"] == crc_of(contents), result)
    expect_only("src", "dst")
    return result


def test_size_0():
    """copy: an empty file"""
    copy_of_size(0, EMULATE)


def test_size_1():
    """copy: 1 byte"""
    copy_of_size(1, EMULATE)


def test_size_4095():
    """copy: 4095 bytes"""
    copy_of_size(4095, EMULATE)


def test_size_4096():
    """copy: 4096 bytes"""
    copy_of_size(4096, EMULATE)


def test_size_below_chunk():
    """copy: 1 MiB - 1"""
    copy_of_size(MIB - 1, EMULATE)


def test_size_chunk():
    """copy: 1 MiB"""
    copy_of_size(MIB, EMULATE)


def test_size_above_chunk():
    """copy: 1 MiB + 1"""
    copy_of_size(MIB + 1, EMULATE)


def test_size_20_mib():
    """copy: 20 MiB, through the engine"""
    result = copy_of_size(20 * MIB, EMULATE)
    expect(result["data_bytes"] == 20 * MIB and result["read_back"], result)
    expect(result["descriptors"] >= 20, result)
    expect([c["kind"] for c in result["channels"]] == ["emulated"], result)


def test_small_transfers():
    """copy: 20 MiB in descriptors of 4 KiB"""
    result = copy_of_size(20 * MIB, "--emulate=1,xfercap=12")
    expect(result["descriptors"] >= 20 * MIB / 4096, result)


def test_narrow_iommu():
    """copy: 5 MiB behind an IOMMU of 39 bits"""
    copy_of_size(5 * MIB, "--emulate=1,iova_bits=39")


def test_two_channels():
    """copy: --channels=2 uses both"""
    for emulate in ("--emulate", "--emulate=2", "--emulate=3"):
        result = copy_of_size(20 * MIB + 5, emulate, "--channels=2")
        expect(len(result["channels"]) == 2, result)
        expect(all(c["requests"] >= 10 for c in result["channels"]), result)
        expect(len({c["address"] for c in result["channels"]}) == 2, result)


def test_one_core():
    """copy: 20 MiB where there is only one core"""
    core = min(os.sched_getaffinity(0))
    contents = make("src", random_bytes(20 * MIB))
    udma("copy", EMULATE, "src", "dst", preexec_fn=lambda: os.sched_setaffinity(0, {core}))
    expect_contents("dst", contents)


def test_environment():
    """copy: UDMA_EMULATE asks for emulated channels as --emulate does"""
    contents = make("src", random_bytes(MIB))
    udma("copy", "src", "dst", env=environment(UDMA_EMULATE="1"))
    expect_contents("dst", contents)


def test_pseudo_file():
    """copy: a file of /proc, which says that it is empty"""
    udma("copy", EMULATE, "/proc/version", "dst")
    expect_contents("dst", contents_of("/proc/version"))


# ---- The answer ----


def test_report():
    """copy: the report has size, throughput, descriptors, kind of channel and both checksums"""
    contents = make("src", random_bytes(3 * MIB))
    text = udma("copy", EMULATE, "src", "dst").stdout
    for part in (f"{3 * MIB} bytes", "/s", "3 descriptors in 3 requests", "(emulated)",
                 f"source {crc_of(contents)}, destination {crc_of(contents)}: equal"):
        expect(part in text, f"'{part}' in:\n{text}")


def test_quiet():
    """copy: --quiet prints nothing"""
    make("src", random_bytes(MIB))
    answer = udma("copy", EMULATE, "--quiet", "src", "dst")
    expect(answer.stdout + answer.stderr == "", answer)


def test_no_verify():
    """copy: --no-verify says that it has not read back"""
    make("src", random_bytes(MIB))
    result = json.loads(udma("copy", EMULATE, "--no-verify", "--json", "src", "dst").stdout)
    expect(result["read_back"] is False, result)
    expect("not read back" in udma("copy", EMULATE, "--no-verify", "src", "dst").stdout, "text")


def test_json_of_odd_name():
    """copy: --json is JSON whatever the file's name"""
    name = b'a"\\\n\xff\xc3\xa9'
    make(name, b"x")
    result = json.loads(udma("copy", EMULATE, "--json", name, "dst").stdout)
    expect(result["source"] == 'a"\\\n\ufffd\u00e9', result)


def test_closed_output():
    """copy: with standard output closed the report goes nowhere else, and that is an error"""
    contents = make("src", random_bytes(1000))
    for redirection in (">&-", "2>&- >&-", "<&- >&- 2>&-"):
        done = subprocess.run(["sh", "-c", f'"$0" copy --emulate src dst {redirection}', UDMA],
                              env=environment(), capture_output=True, check=False)
        expect(done.returncode == 1, f"{done.returncode} with {redirection}")
        expect_contents("dst", contents)
    done = subprocess.run(["sh", "-c", '"$0" copy --emulate --quiet src dst >&-', UDMA],
                          env=environment(), check=False)
    expect(done.returncode == 0, f"{done.returncode} with --quiet")


def test_odd_name_in_report():
    """copy: the report shows names without what a terminal obeys"""
    make("a\n\x1b[2Jb", b"x")
    text = udma("copy", EMULATE, "a\n\x1b[2Jb", "c\rd").stdout
    expect("copied    a??[2Jb -> c?d\n" in text, repr(text))


def test_odd_name_in_error():
    """copy: an error about a name with control characters is one line without them"""
    answer = udma("copy", EMULATE, "a\n\x1b[2Jb", "dst", status=1)
    one_error_line(answer.stderr, "'a??[2Jb'", "No such file")


def test_nothing_in_a_pipe():
    """copy: no progress in a pipe"""
    make("src", random_bytes(20 * MIB))
    expect(udma("copy", EMULATE, "src", "dst").stderr == "", "stderr")


def progress_of(width, by_ioctl=False):
    """The lines that a terminal of some width shows while 8 MiB of a known size are copied."""
    ours, theirs = pty.openpty()
    make("src", random_bytes(8 * MIB))
    os.mkfifo("fifo")
    env = environment() if by_ioctl else environment(COLUMNS=str(width))
    if by_ioctl:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    shown = b""
    with start("copy", EMULATE, "src", "fifo", env=env, stdout=subprocess.DEVNULL,
               stderr=theirs) as process:
        os.close(theirs)
        with open("fifo", "rb") as fifo:
            # The line comes while the pipe is full.
            while b"%" not in shown:
                shown += os.read(ours, 65536)
            while fifo.read(MIB):
                pass
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:
                break
            shown += part
    os.close(ours)
    expect(process.returncode == 0, shown)
    return shown.decode().split("\r")


def test_progress():
    """copy: on a terminal a progress line with percentage, amount and rate"""
    lines = progress_of(100)
    drawn = [line for line in lines if "%" in line]
    expect(all("of 8.0 MiB" in line and "[" in line and "/s" in line for line in drawn), lines)
    expect(lines[-1].strip() == "", "it is wiped in the end")


def test_progress_narrow():
    """copy: the progress line fits a terminal of 24 columns"""
    for line in progress_of(24):
        expect(len(line) < 24, repr(line))


def test_progress_window_size():
    """copy: without COLUMNS the terminal is asked for its width"""
    for line in progress_of(30, by_ioctl=True):
        expect(len(line) < 30, repr(line))


# ---- Sparse files ----


def test_sparse():
    """copy: holes stay holes, at the beginning, in the middle and at the end"""
    with open("src", "wb") as file:
        for offset in (8 * MIB, 8 * MIB + 65536, 40 * MIB):
            file.seek(offset)
            file.write(random_bytes(5000 + offset // MIB))
        file.truncate(64 * MIB)
    contents = contents_of("src")
    source = os.stat("src")
    if source.st_blocks * 512 >= source.st_size:
        raise Skip("the file system has no holes")
    result = json.loads(udma("copy", EMULATE, "--json", "src", "dst").stdout)
    expect_contents("dst", contents)
    expect(os.stat("dst").st_blocks <= source.st_blocks,
           f"{os.stat('dst').st_blocks} blocks, {source.st_blocks} in the source")
    expect(result["source_crc32"] == result["destination_crc32"] == crc_of(contents), result)
    expect(result["bytes"] == 64 * MIB and result["data_bytes"] < MIB, result)


def test_only_a_hole():
    """copy: 1 TiB of nothing takes no space and no time"""
    with open("src", "wb") as file:
        try:
            file.truncate(1 << 40)
        except OSError as error:
            raise Skip(f"no file of 1 TiB here: {error}") from error
    if os.stat("src").st_blocks > 8:
        raise Skip("the file system has no holes")
    result = json.loads(udma("copy", EMULATE, "--json", "src", "dst").stdout)
    expect(os.stat("dst").st_size == 1 << 40, "size")
    expect(os.stat("dst").st_blocks <= 8, "blocks")
    expect(result["data_bytes"] == 0 and result["requests"] == 0, result)


def test_sparse_to_pipe():
    """copy: a hole comes out of a pipe as zeroes"""
    with open("src", "wb") as file:
        file.seek(3 * MIB)
        file.write(b"end")
        file.truncate(5 * MIB)
    answer = subprocess.run([UDMA, "copy", EMULATE, "src", "-"], env=environment(),
                            capture_output=True, check=True)
    expect(answer.stdout == contents_of("src"), "contents")
    expect(crc_of(answer.stdout).encode() in answer.stderr, answer.stderr)


# ---- Pipes ----


def feed(name, contents):
    """Writes to a pipe in the background."""
    thread = threading.Thread(target=make, args=(name, contents))
    thread.start()
    return thread


def test_fifo_source():
    """copy: from a pipe with a name"""
    os.mkfifo("fifo")
    contents = random_bytes(7 * MIB + 13)
    feeder = feed("fifo", contents)
    udma("copy", EMULATE, "fifo", "dst")
    feeder.join()
    expect_contents("dst", contents)


def test_fifo_destination():
    """copy: to a pipe with a name"""
    os.mkfifo("fifo")
    contents = make("src", random_bytes(7 * MIB + 13))
    with start("copy", EMULATE, "src", "fifo") as process:
        expect_contents("fifo", contents)
        end(process, 0)
    expect(stat.S_ISFIFO(os.stat("fifo").st_mode), "it is still a pipe")


def test_stdin_to_stdout():
    """copy: from standard input to standard output, the report on stderr"""
    contents = random_bytes(7 * MIB + 13)
    answer = subprocess.run([UDMA, "copy", EMULATE, "--json", "-", "-"], env=environment(),
                            input=contents, capture_output=True, check=True)
    expect(answer.stdout == contents, "contents")
    result = json.loads(answer.stderr)
    expect(result["bytes"] == len(contents) and not result["read_back"], result)
    expect(result["destination_crc32"] == crc_of(contents), result)


def test_dev_stdin_stdout():
    """copy: /dev/stdin to /dev/stdout, which are links to pipes"""
    contents = random_bytes(2 * MIB + 1)
    answer = subprocess.run([UDMA, "copy", EMULATE, "--quiet", "/dev/stdin", "/dev/stdout"],
                            env=environment(), input=contents, capture_output=True, check=True)
    expect(answer.stdout == contents, "contents")


def test_non_blocking():
    """copy: standard input and output that somebody has made non-blocking"""
    contents = random_bytes(3 * MIB)
    with start("copy", EMULATE, "--quiet", "-", "-", stdin=subprocess.PIPE,
               preexec_fn=lambda: [os.set_blocking(fd, False) for fd in (0, 1)]) as process:
        # The other ends are descriptions of their own, and wait.
        got, errors = process.communicate(contents)
    expect(process.returncode == 0, errors)
    expect(got == contents, f"{len(got)} bytes")


def test_slow_pipe():
    """copy: what comes in is passed on before there is more"""
    with start("copy", EMULATE, "--quiet", "-", "-", stdin=subprocess.PIPE) as process:
        for part in (b"one", b"two", b"three"):
            os.write(process.stdin.fileno(), part)
            expect(os.read(process.stdout.fileno(), 100) == part, part)
        end(process, 0)


def test_empty_stdin():
    """copy: an empty standard input makes an empty file, with the usual permissions"""
    umask = os.umask(0o027)
    try:
        udma("copy", EMULATE, "-", "dst")
    finally:
        os.umask(umask)
    expect_contents("dst", b"")
    expect(stat.S_IMODE(os.stat("dst").st_mode) == 0o640, oct(os.stat("dst").st_mode))


def test_closed_pipe():
    """copy: a reader that goes away is an error, not a death"""
    make("src", random_bytes(8 * MIB))
    with start("copy", EMULATE, "src", "-") as process:
        os.read(process.stdout.fileno(), 1)
        process.stdout.close()
        process.stdout = None
        one_error_line(end(process, 1), "standard output", "Broken pipe")


# ---- Block devices ----


class Loop:
    """A file as a block device."""

    def __init__(self, name, size):
        if os.geteuid() != 0:
            raise Skip("loop devices need root")
        make(name, random_bytes(size))
        try:
            made = subprocess.run(["losetup", "--find", "--show", name], capture_output=True,
                                  text=True, check=False)
        except FileNotFoundError as error:
            raise Skip("losetup is not installed") from error
        if made.returncode != 0:
            raise Skip(f"losetup: {made.stderr.strip()}")
        self.path = made.stdout.strip()

    def __enter__(self):
        return self.path

    def __exit__(self, *unused):
        subprocess.run(["losetup", "--detach", self.path], check=True)


def test_to_block_device():
    """copy: to a block device, in place, holes as zeroes; what lies behind stays"""
    with Loop("disk", 8 * MIB) as device:
        behind = contents_of(device)[5 * MIB:]
        with open("src", "wb") as file:
            file.write(random_bytes(MIB + 7))
            file.truncate(5 * MIB)
        answer = udma("copy", EMULATE, "src", device)
        expect("(read back)" in answer.stdout, answer.stdout)
        expect_contents(device, contents_of("src") + behind)
        expect(stat.S_ISBLK(os.stat(device).st_mode), "it is still a device")


def test_from_block_device():
    """copy: from a block device, all of it"""
    with Loop("disk", 3 * MIB + 512) as device:
        contents = contents_of(device)
        expect(len(contents) == 3 * MIB + 512, "size")
        udma("copy", EMULATE, device, "dst")
        expect_contents("dst", contents)


def test_block_device_too_small():
    """copy: to a block device that is too small: refused before anything is written"""
    with Loop("disk", MIB) as device:
        before = contents_of(device)
        make("src", random_bytes(MIB + 1))
        one_error_line(udma("copy", EMULATE, "src", device, status=1).stderr, device,
                       str(MIB + 1), str(MIB))
        expect_contents(device, before)


def test_block_device_overrun():
    """copy: a pipe with more than a block device holds: says how much is overwritten"""
    with Loop("disk", 2 * MIB) as device:
        answer = subprocess.run([UDMA, "copy", EMULATE, "-", device], env=environment(),
                                input=random_bytes(3 * MIB), capture_output=True, check=False)
        expect(answer.returncode == 1, answer)
        errors = answer.stderr.decode()
        expect("No space left" in errors and "overwritten in part" in errors, errors)


# ---- Places ----


def test_replaces():
    """copy: a file that is there is replaced and keeps its mode"""
    contents = make("src", random_bytes(MIB))
    make("dst", b"old")
    os.chmod("dst", 0o604)
    udma("copy", EMULATE, "src", "dst")
    expect_contents("dst", contents)
    expect(stat.S_IMODE(os.stat("dst").st_mode) == 0o604, "mode")


def test_mode():
    """copy: a new file has the mode of the source, but never set-user-ID"""
    for mode, kept in ((0o640, 0o640), (0o755, 0o755), (0o4711, 0o711)):
        make("src", b"x")
        os.chmod("src", mode)
        udma("copy", EMULATE, "src", f"dst{mode}")
        expect(stat.S_IMODE(os.stat(f"dst{mode}").st_mode) == kept, oct(mode))


def test_into_directory():
    """copy: into a directory, under the name of the source"""
    os.mkdir("dir")
    contents = make("src", random_bytes(1000))
    for given in ("dir", "dir/"):
        udma("copy", EMULATE, os.path.abspath("src"), given)
        expect_contents("dir/src", contents)
        os.unlink("dir/src")
    one_error_line(udma("copy", EMULATE, "-", "dir", status=1).stderr, "'dir'", "name the file")
    os.mkdir("dir/src")
    one_error_line(udma("copy", EMULATE, "src", "dir", status=1).stderr, "'dir/src'")


def test_through_link():
    """copy: a link stays, and what it points to is replaced, or created"""
    contents = make("src", random_bytes(1000))
    os.mkdir("dir")
    make("dir/target", b"old")
    os.symlink("target", "dir/inner")
    os.symlink("dir/inner", "link")
    os.symlink("dir/new", "dangling")
    udma("copy", EMULATE, "src", "link")
    udma("copy", EMULATE, "src", "dangling")
    expect(os.readlink("link") == "dir/inner" and os.readlink("dir/inner") == "target", "links")
    expect_contents("dir/target", contents)
    expect_contents("dir/new", contents)
    os.symlink("loop", "loop")
    one_error_line(udma("copy", EMULATE, "src", "loop", status=1).stderr, "'loop'")


def test_same_file():
    """copy: a file onto itself is refused, by whatever name"""
    contents = make("src", random_bytes(1000))
    os.link("src", "hard")
    os.symlink("src", "soft")
    for name in ("src", "./src", "hard", "soft", "."):
        one_error_line(udma("copy", EMULATE, "src", name, status=1).stderr, "same file")
    with open("src", "ab") as file:
        answer = udma("copy", EMULATE, "src", "-", stdout=file, status=1)
    one_error_line(answer.stderr, "same file")
    expect_contents("src", contents)
    expect_only("src", "hard", "soft")


def test_directory_as_source():
    """copy: a directory as the source is refused"""
    os.mkdir("dir")
    one_error_line(udma("copy", EMULATE, "dir", "dst", status=1).stderr, "'dir'", "directory")
    expect_only("dir")


def test_missing_source():
    """copy: a source that is not there"""
    one_error_line(udma("copy", EMULATE, "src", "dst", status=1).stderr, "'src'", "No such file")
    expect_only()


def test_missing_directory():
    """copy: a destination in a directory that is not there"""
    make("src", b"x")
    one_error_line(udma("copy", EMULATE, "src", "no/dst", status=1).stderr, "'no/dst'",
                   "No such file", "create the directory")
    one_error_line(udma("copy", EMULATE, "src", "no/", status=1).stderr, "'no/'", "not a directory")
    one_error_line(udma("copy", EMULATE, "src", "", status=1).stderr)
    expect_only("src")


def test_permission():
    """copy: no permission to read, to write the file, or to write in its directory"""
    make("src", b"x")
    make("secret", b"x")
    os.chmod("secret", 0)
    make("fixed", b"old")
    os.chmod("fixed", 0o444)
    os.mkdir("closed", 0o555)
    os.chmod(".", 0o777)
    options = {}
    if os.geteuid() == 0:
        # A build below root's home is out of nobody's reach: the program and its library come here.
        os.mkdir("bin", 0o755)
        for file in (UDMA, os.path.join(os.path.dirname(UDMA), "..", "libudma.so.0")):
            shutil.copy(file, "bin")
        # And so would be the counts, where a build measures coverage.
        options = {"user": NOBODY, "program": os.path.abspath("bin/udma"),
                   "env": environment(LD_LIBRARY_PATH=os.path.abspath("bin"),
                                      GCOV_PREFIX=os.path.abspath("."))}
    for source, destination, named in (("secret", "dst", "'secret'"), ("src", "fixed", "'fixed'"),
                                       ("src", "closed/dst", "'closed/dst'")):
        answer = udma("copy", EMULATE, source, destination, status=1, **options)
        one_error_line(answer.stderr, named, "Permission denied")
    expect_contents("fixed", b"old")


# ---- What goes wrong on the way ----


def test_full_device():
    """copy: no space at the destination"""
    make("src", random_bytes(MIB))
    one_error_line(udma("copy", EMULATE, "src", "/dev/full", status=1).stderr, "/dev/full",
                   "No space left", "free some space")


def test_file_size_limit():
    """copy: a limit on the file's size: an error, and the old file stays"""
    make("src", random_bytes(4 * MIB))
    make("dst", b"old")
    answer = udma("copy", EMULATE, "src", "dst", status=1, preexec_fn=lambda: resource.setrlimit(
        resource.RLIMIT_FSIZE, (2 * MIB, 2 * MIB)))
    expect("too large" in answer.stderr, answer.stderr)
    expect_contents("dst", b"old")
    expect_only("src", "dst")


def test_full_disk():
    """copy: a full disk: an error, and nothing is left"""
    os.mkdir("small")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", "small"],
                             capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        raise Skip(f"mount: {mounted.stderr.strip()}")
    try:
        make("src", random_bytes(4 * MIB))
        errors = udma("copy", EMULATE, "src", "small/dst", status=1).stderr
        one_error_line(errors, "'small/dst'", "No space left", "free some space")
        expect(os.listdir("small") == [], os.listdir("small"))
    finally:
        subprocess.run(["umount", "small"], check=True)


def interrupted(number, status):
    """Stops a copy that is certainly under way: its source is a pipe of ours."""
    os.mkfifo("fifo")
    make("dst", b"old")
    with start("copy", EMULATE, "fifo", "dst") as process:
        with open("fifo", "wb") as fifo:
            fifo.write(random_bytes(3 * MIB))
            fifo.flush()
            wait_until(lambda: temporary_size() > 0)
            process.send_signal(number)
            one_error_line(end(process, status), "stopped by signal", "'dst' is as it was")
    expect_contents("dst", b"old")
    expect_only("fifo", "dst")


def test_interrupt():
    """copy: Ctrl-C in the middle: 130, and the destination is as it was"""
    interrupted(signal.SIGINT, 130)


def test_terminate():
    """copy: SIGTERM in the middle: 143"""
    interrupted(signal.SIGTERM, 143)


def test_hangup():
    """copy: SIGHUP in the middle: 129"""
    interrupted(signal.SIGHUP, 129)


def test_interrupt_before_source():
    """copy: Ctrl-C while a pipe has no writer yet"""
    os.mkfifo("fifo")
    with start("copy", EMULATE, "fifo", "dst") as process:
        wait_until(lambda: is_waiting_in_open(process.pid))
        process.send_signal(signal.SIGINT)
        end(process, 130)
    expect_only("fifo")


def is_waiting_in_open(pid):
    with open(f"/proc/{pid}/wchan", encoding="ascii") as wchan:
        where = wchan.read()
    if where in ("", "0"):  # the kernel does not say
        time.sleep(1)
        return True
    return where in ("wait_for_partner", "fifo_open", "pipe_wait_for_partner")


def test_interrupt_hang():
    """copy: Ctrl-C while an engine hangs: it is stopped, and not waited for"""
    make("src", random_bytes(20 * MIB))
    with start("copy", "--emulate=1,fault=hang:at=5", "src", "dst") as process:
        wait_until(lambda: temporary_size() > 0)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        one_error_line(end(process, 130), "stopped by signal 2", "'dst' is as it was")
    expect_only("src")


def test_interrupt_blocked_writer():
    """copy: Ctrl-C while nobody reads what is written"""
    make("src", random_bytes(20 * MIB))
    with start("copy", EMULATE, "src", "-") as process:
        os.read(process.stdout.fileno(), 1)  # the writer is at work, and will not get far
        process.send_signal(signal.SIGINT)
        expect(process.wait() == 130, process.returncode)
        one_error_line(process.stderr.read().decode(), "stopped by signal")


def test_ignored_hangup():
    """copy: an ignored SIGHUP (nohup) stays ignored"""
    os.mkfifo("fifo")
    with start("copy", EMULATE, "fifo", "dst",
               preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) as process:
        with open("fifo", "wb") as fifo:
            fifo.write(b"one ")
            fifo.flush()
            wait_until(lambda: temporary_size() > 0)
            process.send_signal(signal.SIGHUP)
            fifo.write(b"two")
        end(process, 0)
    expect_contents("dst", b"one two")


def held_copy(change, hole=None):
    """Changes a source of 40 MiB when part of it has been read: the rest waits for our reading."""
    os.mkfifo("fifo")
    make("src", random_bytes(40 * MIB))
    if hole:
        subprocess.run(["fallocate", "--punch-hole", "--offset", str(hole), "--length", str(MIB),
                        "src"], check=True, capture_output=True)
    with start("copy", EMULATE, "src", "fifo") as process:
        with open("fifo", "rb") as fifo:
            got = fifo.read(1)
            change("src")
            got += fifo.read()
        return process, got, process.communicate()[1].decode()


def test_shrinking_source():
    """copy: a source that shrinks while it is read is an error that says so"""
    process, _, errors = held_copy(lambda name: os.truncate(name, 30 * MIB + 5))
    expect(process.returncode == 1, process.returncode)
    one_error_line(errors, "'src'", "shrank", str(40 * MIB), str(30 * MIB + 5))


def test_source_shrinks_to_nothing():
    """copy: a source that is emptied while it is read is an error that says so"""
    process, _, errors = held_copy(lambda name: os.truncate(name, 0))
    expect(process.returncode == 1, process.returncode)
    one_error_line(errors, "'src'", "shrank", str(40 * MIB))


def test_source_shrinks_at_a_hole():
    """copy: a source that is cut off where a hole was is an error that says so"""
    try:
        process, _, errors = held_copy(lambda name: os.truncate(name, 24 * MIB), hole=24 * MIB)
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        raise Skip(f"no holes can be made here: {error}") from error
    expect(process.returncode == 1, process.returncode)
    one_error_line(errors, "'src'", "shrank", str(40 * MIB), str(24 * MIB))


def test_growing_source():
    """copy: of a source that grows, what it had at the start is copied"""
    before = random_bytes(40 * MIB)

    def grow(name):
        with open(name, "ab") as file:
            file.write(b"more" * MIB)

    process, got, errors = held_copy(grow)
    expect(process.returncode == 0, errors)
    expect(got == before, f"{len(got)} bytes")


# ---- An engine that errs ----


def spoiled(options, largest):
    """An engine that spoils bytes: found, and named. Returns nothing, checks everything."""
    contents = make("src", random_bytes(20 * MIB))
    make("dst", b"old")
    answer = udma("copy", *options, "src", "dst", status=1)
    one_error_line(answer.stderr, "udma copy: byte ", "'src'", "eeee:00:04.", "(emulated)")
    named = re.search(r"byte (\d+) .* is 0x(..) and was copied as 0x(..) by channel (\S+) .* "
                      r"request (\d+), descriptors? (\d+)(?: to (\d+))?", answer.stderr)
    expect(named, answer.stderr)
    offset = int(named[1])
    expect(contents[offset] == int(named[2], 16), f"byte {offset} is {contents[offset]:#x}")
    expect(named[2] != named[3], answer.stderr)
    channels = 2 if "--channels=2" in options else 1
    function = int(named[4][-1])
    # Chunks of 1 MiB go to the channels in turn.
    expect(offset // MIB == (int(named[5]) - 1) * channels + function, answer.stderr)
    descriptors = range(int(named[6]), int(named[7] or named[6]) + 1)
    piece = (int(named[5]) - 1) * (MIB // largest) + offset % MIB // largest + 1
    expect(piece in descriptors, f"descriptor {piece}: {answer.stderr}")
    expect(answer.stdout == "", answer.stdout)
    expect_contents("dst", b"old")
    expect_only("src", "dst")


def test_flip():
    """copy: a byte that the engine has spoiled is found and named; the old file stays"""
    spoiled(["--emulate=1,flip=10"], MIB)


def test_flip_small_transfers():
    """copy: a spoiled byte among 5120 descriptors"""
    spoiled(["--emulate=1,xfercap=12,flip=3000"], 4096)


def test_flip_two_channels():
    """copy: a spoiled byte, and which of two channels it was"""
    spoiled(["--emulate=2,flip=5", "--channels=2"], MIB)


def test_flip_never_reached():
    """copy: the control: spoiling that comes later than the last descriptor changes nothing"""
    copy_of_size(5 * MIB, "--emulate=1,flip=1000")


# ---- Usage ----


def test_no_device():
    """copy: without a device it says so, names the ways out, and ends with 2"""
    found = subprocess.run([UDMA, "list", "--json"], env=environment(), capture_output=True,
                           check=False)
    if json.loads(found.stdout):
        raise Skip("this machine has I/OAT devices")
    make("src", b"x")
    answer = udma("copy", "src", "dst", status=2)
    one_error_line(answer.stderr, "udma copy:", "no I/OAT channel", "vfio-pci", "--emulate")
    expect_only("src")


def test_too_many_channels():
    """copy: more channels than there are: says how many, and 2"""
    make("src", b"x")
    answer = udma("copy", "--emulate=2", "--channels=3", "src", "dst", status=2)
    one_error_line(answer.stderr, "there are 2", "--channels=2", "--emulate=3")
    expect_only("src")


def test_bad_usage():
    """copy: missing and superfluous names, unknown options, wrong numbers: one line, and 2"""
    one_error_line(udma("copy", status=2).stderr, "SRC and DST", "--help")
    one_error_line(udma("copy", "src", status=2).stderr, "DST", "--help")
    one_error_line(udma("copy", "a", "b", "c", status=2).stderr, "3 names")
    one_error_line(udma("copy", EMULATE, "2", "a", "b", status=2).stderr, "'='")
    one_error_line(udma("copy", "--chanels=2", "a", "b", status=2).stderr, "'--chanels=2'")
    for number in ("0", "-1", "x", "1000", ""):
        one_error_line(udma("copy", "--channels=" + number, "a", "b", status=2).stderr,
                       "--channels", "1 to ")
    expect_only()


if __name__ == "__main__":
    run(sys.modules[__name__])
