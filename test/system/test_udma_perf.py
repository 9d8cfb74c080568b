# SPDX-License-Identifier: BSD-3-Clause
"""udma perf: figures that agree with each other, in every form, and what can go wrong."""

import csv
import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time

from tap import (Skip, UDMA, end, environment, expect, on_terminal, one_error_line, run, start,
                 udma)

# Long enough to measure something, which is all that is asked here.
SHORT = "--seconds=0.05"
EMULATE = "--emulate"
LATENCIES = [f"latency_{which}_ns" for which in ("p50", "p90", "p99", "p99_9", "p99_99", "max")]
FIGURES = ["size", "depth_reached", "operations", "bytes", "seconds", "operations_per_second",
           "bytes_per_second", *LATENCIES, "cpu_seconds", "cpu_ns_per_byte",
           "emulation_cpu_ns_per_byte", "baseline_operations", "baseline_bytes",
           "baseline_seconds", "baseline_operations_per_second", "baseline_bytes_per_second",
           "baseline_cpu_seconds", "baseline_cpu_ns_per_byte", "ratio"]


def measured(*options, **more):
    """What --json says."""
    answer = udma("perf", "--json", SHORT, *options, **more)
    expect(answer.stderr == "", answer.stderr)
    return json.loads(answer.stdout)


def sizes_of(text):
    """The sizes that are measured for a --size."""
    return [point["size"] for point in measured("--emulate", "--depth=1", "--size=" + text,
                                                "--seconds=0.01")["points"]]


def is_close(one, other):
    """Equal but for the digits that are printed."""
    return abs(one - other) <= 1e-6 * max(abs(one), abs(other)) + 1


def expect_plausible(point, depth, cpus):
    """The relations between the figures of a point."""
    expect(list(point) == FIGURES, list(point))
    expect(all(isinstance(value, (int, float)) for value in point.values()), point)
    for prefix in ("", "baseline_"):
        operations, seconds = point[prefix + "operations"], point[prefix + "seconds"]
        expect(operations > 0 and seconds > 0, point)
        expect(point[prefix + "bytes"] == operations * point["size"], point)
        expect(is_close(point[prefix + "operations_per_second"], operations / seconds), point)
        expect(is_close(point[prefix + "bytes_per_second"], point[prefix + "bytes"] / seconds),
               point)
        # A thread cannot use more than a CPU; the clocks are not read at the same moment.
        expect(0 < point[prefix + "cpu_seconds"] <= seconds * cpus * 1.1 + 0.01, point)
        expect(abs(point[prefix + "cpu_ns_per_byte"] * point[prefix + "bytes"] / 1e9 -
                   point[prefix + "cpu_seconds"]) < 1e-6, point)
    latencies = [point[name] for name in LATENCIES]
    expect(latencies == sorted(latencies) and latencies[0] > 0, latencies)
    expect(point["depth_reached"] == depth, point)
    expect(point["emulation_cpu_ns_per_byte"] >= 0, point)
    expect(point["ratio"] > 0, point)


# ---- Figures ----


def test_no_options():
    """perf: without options copies of 4K, 32 outstanding, by one channel"""
    result = measured(EMULATE)
    expect(result["parameters"] == {"operation": "copy", "baseline": "memcpy", "sizes": [4096],
                                    "depth": 32, "batch": 8, "wait": False,
                                    "seconds": 0.05},
           result["parameters"])
    expect(result["emulated"] is True and result["complete"] is True, result)
    expect(len(result["channels"]) == 1, result)
    expect(result["channels"][0]["kind"] == "emulated", result)
    expect(result["channels"][0]["cpu"] == min(os.sched_getaffinity(0)), result)
    expect(len(result["points"]) == 1, result)
    expect_plausible(result["points"][0], 32, 1)


def test_sizes():
    """perf: a point for each size, from a byte to a megabyte, odd ones too"""
    result = measured(EMULATE, "--size=1,7,512,4097,64K,1M", "--depth=4")
    expect([p["size"] for p in result["points"]] == [1, 7, 512, 4097, 65536, 1 << 20], result)
    for point in result["points"]:
        expect_plausible(point, 4, 1)


def test_fill():
    """perf: --operation=fill measures fills, and memset() beside them"""
    result = measured(EMULATE, "--operation=fill", "--size=3,4K,100000")
    expect(result["parameters"]["operation"] == "fill", result)
    expect(result["parameters"]["baseline"] == "memset", result)
    for point in result["points"]:
        expect_plausible(point, 32, 1)


def test_depths_and_batches():
    """perf: from one request at a time to a full ring; a batch that does not divide the depth"""
    for depth, batch in ((1, 1), (2, 2), (5, 3), (100, 100), (1000, 7), (32767, 32)):
        result = measured(EMULATE, f"--depth={depth}", f"--batch={batch}", "--size=64")
        expect(result["parameters"]["batch"] == batch, result)
        expect_plausible(result["points"][0], depth, 1)


def test_small_depth():
    """perf: without --batch a small depth is one batch"""
    expect(measured(EMULATE, "--depth=3")["parameters"]["batch"] == 3, "batch")


def test_channels():
    """perf: --channels=3 on the CPUs there are, all at work"""
    result = measured(EMULATE, "--channels=3", "--size=4K,64K")
    expect(len({channel["address"] for channel in result["channels"]}) == 3, result)
    allowed = sorted(os.sched_getaffinity(0))[:3]
    cpus = [channel["cpu"] for channel in result["channels"]]
    expect(cpus == [allowed[i % len(allowed)] for i in range(3)], cpus)
    for point in result["points"]:
        expect_plausible(point, 32, len(allowed))


def test_cores():
    """perf: --cores names the CPU that drives the channels"""
    cpu = max(os.sched_getaffinity(0))
    for text in (str(cpu), f"{cpu}-{cpu}", hex(1 << cpu), f"[{cpu}]"):
        result = measured(EMULATE, "--channels=2", "--cores=" + text)
        expect([channel["cpu"] for channel in result["channels"]] == [cpu, cpu], result)
        expect_plausible(result["points"][0], 32, 1)


def test_one_cpu():
    """perf: where there is only one CPU, and says what that means"""
    cpu = min(os.sched_getaffinity(0))
    text = udma("perf", EMULATE, SHORT,
                preexec_fn=lambda: os.sched_setaffinity(0, {cpu})).stdout
    expect("no CPU of its own" in text and f"CPU {cpu}\n" in text, text)


def test_narrow_iommu():
    """perf: small transfers behind an IOMMU of 39 bits"""
    result = measured("--emulate=1,xfercap=12,iova_bits=39", "--size=100000", "--depth=8")
    expect_plausible(result["points"][0], 8, 1)


def test_full_ring():
    """perf: more requests than the ring has room for: as many as there is, and a note"""
    text = udma("perf", "--emulate=1,xfercap=12", SHORT, "--depth=140", "--size=1M").stdout
    held = re.search(r"the ring holds (\d+) requests of 1M, not 140", text)
    expect(held and 100 < int(held[1]) < 140, text)


def test_environment():
    """perf: UDMA_EMULATE asks for emulated channels as --emulate does"""
    expect(measured(env=environment(UDMA_EMULATE="1"))["emulated"] is True, "emulated")


# ---- The answer ----


def test_table():
    """perf: two tables with a row for each size, and a note that the figures are the emulation's"""
    lines = udma("perf", EMULATE, SHORT, "--size=512,64K").stdout.splitlines()
    headings = [line for line in lines if line.startswith("SIZE")]
    expect([" ".join(line.split()) for line in headings] ==
           ["SIZE OPS/s MiB/s MEMCPY MiB/s RATIO CPU ns/B ENGINE ns/B MEMCPY ns/B",
            "SIZE P50 us P90 us P99 us P99.9 us P99.99 us MAX us"], headings)
    for size in ("512", "64K"):
        rows = [line.split() for line in lines if line.startswith(size + " ")]
        expect([len(row) for row in rows] == [8, 7], rows)
        for row in rows:
            expect(all(re.fullmatch(r"\d+(\.\d+)?", cell) for cell in row[1:]), row)
    expect(any("note:" in line and "the emulation's" in line for line in lines), lines)
    expect(any(re.search(r"eeee:00:04\.0 \(emulated\), driven by CPU \d+$", line)
               for line in lines), lines)


def test_aligned():
    """perf: numbers stand right below each other"""
    lines = udma("perf", EMULATE, SHORT, "--size=1,1M", "--depth=1").stdout.splitlines()
    at = [i for i, line in enumerate(lines) if line.startswith("SIZE")]
    for heading in at:
        ends = [[match.end() for match in re.finditer(r"\S+", line)][1:]
                for line in lines[heading + 1:heading + 3]]
        expect(ends[0] == ends[1], lines)


def test_fill_table():
    """perf: the table of fills names memset()"""
    text = udma("perf", EMULATE, SHORT, "--operation=fill", "--plot").stdout
    expect("MEMSET MiB/s" in text and "memset =" in text and "memcpy" not in text.lower(), text)


def test_csv():
    """perf: --csv has a heading, and in each row as many fields, with the figures of --json"""
    text = udma("perf", EMULATE, SHORT, "--csv", "--size=512-2K").stdout
    rows = list(csv.reader(io.StringIO(text)))
    expect(len(rows) == 4 and len({len(row) for row in rows}) == 1, rows)
    expect(rows[0][-len(FIGURES):] == FIGURES, rows[0])
    for row, size in zip(csv.DictReader(io.StringIO(text)), (512, 1024, 2048)):
        expect(row["operation"] == "copy" and row["kind"] == "emulated", row)
        expect(row["depth"] == "32" and row["batch"] == "8" and row["channels"] == "1", row)
        expect(int(row["size"]) == size, row)
        expect_plausible({name: float(row[name]) for name in FIGURES}, 32, 1)


def test_wait():
    """perf: --wait sleeps where it would poll in vain: right, and said in every form"""
    for channels in (1, 2):
        options = (f"--emulate={channels},fault=delay:us=1000:every=1", "--wait", "--depth=1", SHORT,
                   f"--channels={channels}", "--cores=0")
        result = measured(*options)
        point = result["points"][0]
        expect(result["parameters"]["wait"] is True, result)
        # Each copy takes a millisecond, in which a poller would use a CPU.
        expect(point["latency_p50_ns"] > 1000000, point)
        expect(point["cpu_seconds"] < point["seconds"] / 2, point)
    expect("outstanding, a doorbell for each, waited for" not in udma("perf", EMULATE, SHORT).stdout,
           "not asked for")
    expect("waited for\n" in udma("perf", EMULATE, SHORT, "--wait").stdout, "the table")
    rows = csv.DictReader(io.StringIO(udma("perf", EMULATE, SHORT, "--wait", "--csv").stdout))
    expect([row["wait"] for row in rows] == ["1"], "CSV")


def test_plot():
    """perf: --plot draws bars in ASCII, the longest for the largest figure"""
    text = udma("perf", EMULATE, SHORT, "--plot", "--size=512,64K").stdout
    bars = re.findall(r"^(512|64K|) +(engine|memcpy) ([#=]*) (\d+)$", text, re.M)
    expect([bar[:2] for bar in bars] == [("512", "engine"), ("", "memcpy"), ("64K", "engine"),
                                         ("", "memcpy")], text)
    expect(text.isascii(), text)
    expect(all(set(bar[2]) <= ({"#"} if bar[1] == "engine" else {"="}) for bar in bars), text)
    largest = max(bars, key=lambda bar: int(bar[3]))
    expect(len(largest[2]) == max(len(bar[2]) for bar in bars) > 10, text)


def test_quiet():
    """perf: --quiet prints nothing"""
    for more in ([], ["--json"], ["--plot"]):
        answer = udma("perf", EMULATE, SHORT, "--quiet", *more)
        expect(answer.stdout + answer.stderr == "", answer)


def test_nothing_in_a_pipe():
    """perf: no progress in a pipe"""
    expect(udma("perf", EMULATE, "--seconds=0.5").stderr == "", "stderr")


def test_narrow_terminal():
    """perf: on a narrow terminal a paragraph for each size, no line wider than it"""
    for width in (40, 24):
        lines = on_terminal("perf", EMULATE, SHORT, "--size=512,1M", "--plot", COLUMNS=str(width))
        shown = [line.split("\r")[-1] for line in lines]
        expect(all(len(line) <= width for line in shown), shown)
        expect(len([line for line in shown if re.match(r"RATIO +[\d.]+$", line)]) == 2, shown)
        expect(len([line for line in shown if re.match(r"P99\.99 us +[\d.]+$", line)]) == 2, shown)


def test_wide_terminal():
    """perf: on a wide terminal tables, and on one of 80 columns too"""
    for width in (80, 160):
        lines = on_terminal("perf", EMULATE, SHORT, "--size=4K", COLUMNS=str(width))
        expect(any(re.match(r"SIZE +OPS/s", line.split("\r")[-1]) for line in lines), lines)


def test_output_that_fails():
    """perf: figures that cannot be written are an error"""
    for form in ([], ["--json"], ["--csv"], ["--plot"]):
        with open("/dev/full", "w", encoding="ascii") as full:
            answer = udma("perf", EMULATE, SHORT, *form, stdout=full, status=1)
        one_error_line(answer.stderr, "standard output", "No space left")


def test_closed_pipe():
    """perf: a reader that goes away is an error, not a death"""
    with start("perf", EMULATE, SHORT) as process:
        process.stdout.close()
        process.stdout = None
        one_error_line(end(process, 1), "standard output", "Broken pipe")


def test_closed_output():
    """perf: with standard output closed the figures go nowhere else, and that is an error"""
    done = subprocess.run(["sh", "-c", f'"$0" perf --emulate {SHORT} >&-', UDMA],
                          env=environment(), capture_output=True, check=False)
    expect(done.returncode == 1, done)


# ---- Stopping ----


def read_terminal(terminal, until=None):
    """Reads what a terminal shows until it matches, or to its end."""
    shown = ""
    while until is None or not re.search(until, shown):
        try:
            shown += os.read(terminal, 65536).decode()
        except OSError:  # the other end is closed
            break
    return shown


def stopped(number, status, *options, until, after=""):
    """Stops it when the progress line matches. Returns what it has printed."""
    ours, theirs = pty.openpty()
    with start("perf", EMULATE, *options, stderr=theirs, env=environment(COLUMNS="80")) as process:
        os.close(theirs)
        read_terminal(ours, until)
        process.send_signal(number)
        printed = process.stdout.read().decode()
        errors = read_terminal(ours)
    os.close(ours)
    expect(process.returncode == status, f"{process.returncode}: {errors}")
    expect(f"stopped by signal {int(number)}" in errors, errors)
    expect(after in errors, f"'{after}' in: {errors}")
    return printed


def test_interrupt():
    """perf: Ctrl-C in the middle: 130, and what was measured so far"""
    # A hundredth of 20 seconds has been measured then, and more is certainly to come.
    printed = stopped(signal.SIGINT, 130, "--json", "--seconds=20", until="[1-9] %",
                      after="after 0 of 1 sizes")
    result = json.loads(printed)
    expect(result["complete"] is False and len(result["points"]) == 1, result)
    expect_plausible(result["points"][0], 32, 1)
    expect(result["points"][0]["seconds"] < 15, result)


def test_interrupt_later_size():
    """perf: Ctrl-C after the first of twenty sizes: that one is whole"""
    # Each is a twentieth of the time.
    printed = stopped(signal.SIGINT, 130, "--csv", "--seconds=1", "--size=1-512K",
                      until="[6-9] %|[1-9]. %", after="of 20 sizes")
    sizes = [int(row["size"]) for row in csv.DictReader(io.StringIO(printed))]
    expect(1 <= len(sizes) <= 20 and sizes == [1 << i for i in range(len(sizes))], printed)


def test_interrupt_table():
    """perf: Ctrl-C: the table has what was measured so far"""
    printed = stopped(signal.SIGINT, 130, "--seconds=20", "--size=512,4K", until="[1-9] %",
                      after="after 0 of 2 sizes")
    expect(re.search(r"^512 ", printed, re.M) and not re.search(r"^4K ", printed, re.M), printed)


def test_interrupt_second():
    """perf: Ctrl-C in the second of two sizes: one is whole"""
    stopped(signal.SIGINT, 130, "--seconds=5", "--size=512,4K", until="(5[2-9]|[6-9].) %",
            after="after 1 of 2 sizes")


def test_interrupt_hang():
    """perf: Ctrl-C while an engine hangs: it is stopped, and not waited for"""
    with start("perf", "--emulate=1,fault=hang:at=300") as process:
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        one_error_line(end(process, 130), "stopped by signal 2", "after 0 of 1 sizes")


def test_terminate():
    """perf: SIGTERM in the middle: 143"""
    stopped(signal.SIGTERM, 143, "--seconds=20", until="[1-9] %")


def test_interrupt_large():
    """perf: Ctrl-C while large requests are outstanding"""
    stopped(signal.SIGINT, 130, "--seconds=20", "--size=8M", "--depth=8", until="[1-9] %")


def test_progress():
    """perf: on a terminal a progress line with a bar and a percentage, which is wiped in the end"""
    ours, theirs = pty.openpty()
    with start("perf", EMULATE, "--seconds=1", stderr=theirs, stdout=subprocess.DEVNULL,
               env=environment(COLUMNS="60")) as process:
        os.close(theirs)
        lines = read_terminal(ours).split("\r")
    os.close(ours)
    drawn = [line for line in lines if "%" in line]
    expect(process.returncode == 0 and drawn, lines)
    expect(all(line.startswith("perf [") and "iB" not in line for line in drawn), lines)
    expect(all(len(line) < 60 for line in lines) and lines[-1].strip() == "", lines)


# ---- An engine that errs ----


def test_flip():
    """perf: a byte that the engine has spoiled is an error that names the channel"""
    for operation in ("copy", "fill"):
        answer = udma("perf", "--emulate=1,flip=2", SHORT, "--operation=" + operation, status=1)
        one_error_line(answer.stderr, "udma perf: byte ", f"of a {operation} of 4K", "0x",
                       "eeee:00:04.0 (emulated)", "do not use this channel")
        expect(answer.stdout == "", answer.stdout)


def test_flip_two_channels():
    """perf: spoiled bytes, on two channels"""
    answer = udma("perf", "--emulate=2,flip=2", "--channels=2", SHORT, "--depth=64", status=1)
    for line in answer.stderr.splitlines():
        one_error_line(line, "udma perf: byte ", "do not use this channel")
    expect(answer.stderr != "", "no error")


def test_flip_never_reached():
    """perf: the control: spoiling that comes later than the last descriptor changes nothing"""
    expect_plausible(measured("--emulate=1,flip=4000000000")["points"][0], 32, 1)


def test_flip_json():
    """perf: after an error --json prints nothing that looks like success"""
    answer = udma("perf", "--emulate=1,flip=1", SHORT, "--json", status=1)
    expect(answer.stdout == "", answer.stdout)


def test_too_large_for_the_ring():
    """perf: a request that the ring cannot hold: an error; the sizes before it are printed"""
    answer = udma("perf", "--emulate=1,xfercap=12", SHORT, "--depth=1", "--size=4K,129M",
                  "--json", status=1)
    expect("failed in a copy of 129M" in answer.stderr, answer.stderr)
    result = json.loads(answer.stdout)
    expect(result["complete"] is False, result)
    expect([point["size"] for point in result["points"]] == [4096], result)


# ---- Options ----


def test_size_lists():
    """perf: sizes with units, in lists and ranges"""
    for text, sizes in (("1", [1]), ("3k", [3072]), ("2K", [2048]), ("1M", [1 << 20]),
                        ("1m,2", [1 << 20, 2]), ("512-4K", [512, 1024, 2048, 4096]),
                        ("3-20", [3, 6, 12]), ("4K-4K", [4096]),
                        ("1K-3K,100,1-2", [1024, 2048, 100, 1, 2]), ("5,5", [5, 5])):
        expect(sizes_of(text) == sizes, f"{text}: {sizes_of(text)}")


def test_bad_sizes():
    """perf: sizes that are none, too small, too large or too many: one line, and 2"""
    for text in ("", "0", "-1", "x", "4KB", "K", "1.5K", "4K,", ",4K", "4K,,8K", "4K-", "-4K",
                 "8K-4K", "4K-8K-16K", "2G", "1025M", "0x10", "1T", "1-2G", "99999999999999999999",
                 "18446744073709551617", "9223372036854775807G", "17179869184G", " 4K", "4K ",
                 ",".join(["1"] * 65)):
        one_error_line(udma("perf", EMULATE, "--size=" + text, status=2).stderr, "udma perf:",
                       "--size", "4K")


def test_bad_numbers():
    """perf: numbers that are none or out of range: one line that names the option, and 2"""
    for option, texts in (("--depth", ("", "0", "-1", "x", "32768", "4K", "99999999999999999999")),
                          ("--batch", ("", "0", "-1", "x", "32768")),
                          ("--channels", ("", "0", "-1", "x", "225", "4294967297")),
                          ("--seconds", ("", "0", "-1", "x", "nan", "inf", "0x1", "1e3", "1.2.3",
                                         ".", "0.001", "86401", "9" * 400)),
                          ("--operation", ("", "move", "COPY", "copy,fill"))):
        for text in texts:
            one_error_line(udma("perf", EMULATE, f"{option}={text}", status=2).stderr,
                           "udma perf:", option)


def test_bad_cores():
    """perf: CPUs that are none, not allowed, or more than channels: one line, and 2"""
    for text in ("", "x", "1-", "-1", "3-1", "0,", "99999", "[0", "0x"):
        one_error_line(udma("perf", EMULATE, "--cores=" + text, status=2).stderr,
                       "set of cores")
    one_error_line(udma("perf", EMULATE, "--cores=0x0", status=2).stderr, "--cores", "0 CPUs")
    one_error_line(udma("perf", EMULATE, "--cores=1023", status=2).stderr, "--cores", "CPU 1023")
    one_error_line(udma("perf", EMULATE, "--cores=0-1", status=2).stderr, "--cores", "2 CPUs",
                   "--channels")
    cpu = min(os.sched_getaffinity(0))
    answer = udma("perf", EMULATE, f"--cores={1 if cpu == 0 else 0}", status=2,
                  preexec_fn=lambda: os.sched_setaffinity(0, {cpu}))
    one_error_line(answer.stderr, "--cores", "may not use CPU")


def test_batch_above_depth():
    """perf: a batch larger than the depth could never be announced: one line, and 2"""
    one_error_line(udma("perf", EMULATE, "--depth=4", "--batch=5", status=2).stderr,
                   "--batch is 5", "--depth=4")


def test_two_outputs():
    """perf: --json, --csv and --plot exclude each other"""
    for pair in (("--json", "--csv"), ("--json", "--plot"), ("--csv", "--plot")):
        one_error_line(udma("perf", EMULATE, *pair, status=2).stderr, *pair)


def test_bad_usage():
    """perf: unknown options, missing values and superfluous words: one line, and 2"""
    one_error_line(udma("perf", "--szie=4K", status=2).stderr, "'--szie=4K'", "--help")
    one_error_line(udma("perf", "-x", status=2).stderr, "'-x'")
    one_error_line(udma("perf", EMULATE, "--depth", status=2).stderr, "'--depth'")
    one_error_line(udma("perf", EMULATE, "--csv=1", status=2).stderr, "'--csv=1'")
    one_error_line(udma("perf", EMULATE, "2", status=2).stderr, "'2'", "'='")
    for value in ("x", "1,speed=9"):
        one_error_line(udma("perf", "--emulate=" + value, status=2).stderr, "udma:")


def test_too_much_memory():
    """perf: buffers that the machine has no memory for: refused before anything is measured"""
    answer = udma("perf", EMULATE, "--size=4K,1G", "--depth=32767", status=1)
    one_error_line(answer.stderr, "32767 requests of 1G", "GiB", "--depth")
    expect(answer.stdout == "", answer.stdout)


def test_no_device():
    """perf: without a device it says so, names the ways out, and ends with 2"""
    found = subprocess.run([UDMA, "list", "--json"], env=environment(), capture_output=True,
                           check=False)
    if json.loads(found.stdout):
        raise Skip("this machine has I/OAT devices")
    for options in ([], ["--json"]):
        answer = udma("perf", *options, status=2)
        one_error_line(answer.stderr, "udma perf:", "no I/OAT channel", "vfio-pci", "--emulate")
        expect(answer.stdout == "", answer.stdout)


def test_too_many_channels():
    """perf: more channels than there are: says how many, and 2"""
    answer = udma("perf", "--emulate=2", "--channels=3", status=2)
    one_error_line(answer.stderr, "there are 2", "--channels=2", "--emulate=3")


def test_help():
    """perf: --help has an example and the exit statuses, and fits in 90 columns"""
    text = udma("perf", "--help").stdout
    expect("Example:\n  udma perf " in text and "Exit status" in text, text)
    for option in ("size", "depth", "batch", "channels", "cores", "seconds", "operation",
                   "wait", "emulate", "plot", "json", "csv", "quiet", "help"):
        expect(f"--{option}" in text, option)
    expect(all(len(line) <= 90 for line in text.splitlines()), text)
    expect(udma("perf", "-h").stdout == text and udma("help", "perf").stdout == text, "help")
    expect("udma perf" in udma("--help").stdout, "udma --help")


if __name__ == "__main__":
    run(sys.modules[__name__])
