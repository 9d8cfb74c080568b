# SPDX-License-Identifier: BSD-3-Clause
"""udma verify: what is asked of the channels, and that everything that goes wrong is noticed."""

import contextlib
import glob
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time

from tap import (Skip, UDMA, end, environment, expect, on_terminal, one_error_line, run, start,
                 udma)

BAD_ENGINE = os.path.abspath(sys.argv[2]) if len(sys.argv) > 2 else "udma_bad_engine"
EMULATE = "--emulate"
HEADING = "CHANNEL KIND REQUESTS COPIES FILLS BYTES DESCRIPTORS ERRORS"
CHANNEL = r"channel eeee:00:04\.\d \(emulated\)"
PLACE = r"\((?:DMA|registered) memory, 0x[0-9a-f]+, aligned to \d+\)"
REQUEST = (rf"request (\d+), (?:copy of \d+ bytes? from byte \d+ of the source {PLACE}|"
           rf"fill of \d+ bytes? with 0x[0-9a-f]{{16}}) to byte \d+ of the target {PLACE}")
DIFFERENCE = (r"is 0x([0-9a-f]{2}), 0x([0-9a-f]{2}) was expected; differing: (\d+) inside, "
              r"(\d+) outside the request; do not use this channel")


def verify(*args, **options):
    """Returns what --json says."""
    return json.loads(udma("verify", "--json", *args, **options).stdout)


# ---- What is asked for ----


def test_report():
    """verify: the seed, a line for each channel, and the sum"""
    answer = udma("verify", "--emulate=3", "--count=2000", "--seed=11")
    lines = answer.stdout.splitlines()
    expect(answer.stderr == "", answer.stderr)
    expect(lines[0] == "seed      11", lines)
    expect(" ".join(lines[2].split()) == HEADING, lines)
    rows = [line.split() for line in lines[3:6]]
    expect([row[:3] + row[-1:] for row in rows] ==
           [[f"eeee:00:04.{i}", "emulated", "2000", "0"] for i in range(3)], lines)
    expect(all(int(row[3]) + int(row[4]) == 2000 and int(row[4]) > 0 for row in rows), lines)
    expect(lines[7].startswith("verified  6000 requests, "), lines)
    expect(re.fullmatch(r"time      \d+\.\d s", lines[8]), lines)
    expect(lines[9:] == ["result    all as on the CPU"], lines)


def test_json():
    """verify: --json is one object with everything that the report has"""
    result = verify("--emulate=2", "--count=3000", "--seed=5", "--depth=17", "--max-size=64K")
    expect(result["seed"] == 5 and result["depth"] == 17 and result["max_size"] == 65536, result)
    expect(result["requests"] == 6000 and result["errors"] == 0 and result["seconds"] > 0, result)
    expect(result["sources_intact"] is True and result["signal"] is None, result)
    expect([c["address"] for c in result["channels"]] == ["eeee:00:04.0", "eeee:00:04.1"], result)
    for channel in result["channels"]:
        expect(channel["kind"] == "emulated" and channel["requests"] == 3000, channel)
        expect(channel["errors"] == 0 and channel["error"] is None, channel)
        expect(channel["bytes"] <= 3000 * 65536, channel)
    for name in ("requests", "copies", "fills", "bytes", "descriptors", "errors"):
        expect(result[name] == sum(c[name] for c in result["channels"]), name)
        expect(result[name] > 0 or name == "errors", name)
    expect(result["copies"] + result["fills"] == result["requests"], result)


def test_seed():
    """verify: the same seed asks for the same requests, another one for others"""
    def asked(seed):
        result = verify("--emulate=2", "--count=5000", f"--seed={seed}")
        return [[c["copies"], c["fills"], c["bytes"], c["descriptors"]]
                for c in result["channels"]]

    first = asked(3)
    expect(asked(3) == first, "the same seed")
    expect(asked(4) != first, "another seed")
    expect(first[0] != first[1], "each channel has requests of its own")


def test_random_seed():
    """verify: without --seed it is another one each time, and printed"""
    seeds = {udma("verify", EMULATE, "--count=1").stdout.splitlines()[0] for _ in range(3)}
    expect(len(seeds) > 1 and all(re.fullmatch(r"seed +\d+", seed) for seed in seeds), seeds)


def test_all_channels():
    """verify: all channels unless told otherwise; --emulate makes as many as --channels"""
    for args, count in ((["--emulate=3"], 3), (["--emulate=3", "--channels=2"], 2),
                        ([EMULATE], 1), ([EMULATE, "--channels=2"], 2)):
        expect(len(verify("--count=10", *args)["channels"]) == count, args)
    expect(len(verify("--count=10", env=environment(UDMA_EMULATE="2"))["channels"]) == 2,
           "UDMA_EMULATE")


def test_seconds():
    """verify: --seconds ends it, and --count before that"""
    expect(verify(EMULATE, "--seconds=1")["seconds"] >= 1, "seconds")
    expect(0.2 <= verify(EMULATE, "--seconds=0.2")["seconds"], "a fraction of one")
    expect(verify(EMULATE, "--seconds=1000", "--count=7")["requests"] == 7, "count")


def test_sizes():
    """verify: sizes up to --max-size, larger than a transfer and than a part of the memory"""
    small = verify(EMULATE, "--count=2000", "--max-size=1", "--seed=1")
    expect(0 < small["bytes"] < 2000, small)
    large = verify("--emulate=1,xfercap=12", "--count=200", "--max-size=8M", "--seed=1")
    expect(large["descriptors"] > large["bytes"] / 4096 > 200, large)


def test_narrow_iommu():
    """verify: behind an IOMMU of 39 bits"""
    expect(verify("--emulate=2,iova_bits=39", "--count=3000")["errors"] == 0, "errors")


def test_cores():
    """verify: --cores keeps the threads to these CPUs, and several threads share one"""
    cpu = max(os.sched_getaffinity(0))
    with start("verify", "--emulate=3", f"--cores={cpu}", "--seconds=1000") as process:
        while affinities(process.pid) != [{cpu}] * 3:
            expect(process.poll() is None, "it has ended")
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        end(process, 130)
    cpus = sorted(os.sched_getaffinity(0))
    for cores in (",".join(map(str, cpus)), hex(sum(1 << cpu for cpu in cpus))):
        expect(verify("--emulate=2", f"--cores={cores}", "--count=10")["requests"] == 20, cores)


def affinities(pid):
    """The CPUs of each thread that serves a channel."""
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/comm", encoding="ascii") as comm:
            if comm.read() == "udma-verify\n":
                found.append(os.sched_getaffinity(int(task)))
    return found


# ---- How it is shown ----


def test_pipe():
    """verify: in a pipe no progress, and no control characters"""
    answer = udma("verify", EMULATE, "--seconds=1")
    expect(answer.stderr == "", answer.stderr)
    expect(re.fullmatch(r"[ -~\n]+", answer.stdout), repr(answer.stdout))


def test_quiet():
    """verify: --quiet prints nothing"""
    for option in ("--quiet", "-q"):
        answer = udma("verify", EMULATE, "--count=100", option)
        expect(answer.stdout + answer.stderr == "", answer)


def test_progress():
    """verify: on a terminal a progress line with percentage, amount and rate"""
    shown = "\n".join(on_terminal("verify", EMULATE, "--seconds=2", COLUMNS="100"))
    drawn = [line for line in re.split(r"[\r\n]", shown) if "%" in line]
    expect(drawn and all("verify [" in line and "/s" in line for line in drawn), shown)
    expect(drawn[-1].startswith("verify [####"), drawn)
    shown = "\n".join(on_terminal("verify", EMULATE, "--seconds=1", "--quiet"))
    expect(shown == "", "--quiet has none")


def test_narrow_terminal():
    """verify: on a narrow terminal a paragraph for each channel, no line wider than it"""
    lines = on_terminal("verify", "--emulate=2", "--seconds=1", COLUMNS="40")
    lines = [line for text in lines for line in text.split("\r")]
    expect(all(len(line) <= 40 for line in lines), lines)
    expect(len([line for line in lines if re.match(r"KIND +emulated$", line)]) == 2, lines)


def test_closed_pipe():
    """verify: a reader that goes away after the first line is an error, not a death"""
    with start("verify", EMULATE, "--seconds=1") as process:
        expect(process.stdout.readline().startswith(b"seed "), "the seed comes first")
        process.stdout.close()
        process.stdout = None
        one_error_line(end(process, 1), "standard output", "Broken pipe")


def test_full_disk():
    """verify: an answer that cannot be written is an error, before time is spent on it"""
    for args in (["--seconds=1000000"], ["--json", "--count=10"]):
        with open("/dev/full", "w", encoding="ascii") as full:
            answer = udma("verify", EMULATE, *args, stdout=full, status=1)
        one_error_line(answer.stderr, "udma verify:", "standard output", "No space left")


# ---- Signals ----


def threads_of(process):
    names = []
    for path in glob.glob(f"/proc/{process.pid}/task/*/comm"):
        with contextlib.suppress(OSError), open(path) as file:
            names.append(file.read().strip())
    return names


def wait_for_threads(process):
    """Until the channels are at work, and for some requests."""
    while "udma-verify" not in threads_of(process):
        time.sleep(0.1)
    time.sleep(2)


def interrupted(number, status, *args):
    with start("verify", "--emulate=2", "--seconds=1000000", *args) as process:
        wait_for_threads(process)
        process.send_signal(number)
        output, errors = (text.decode() for text in process.communicate())
    expect(process.returncode == status, f"{process.returncode}: {errors}")
    one_error_line(errors, f"stopped by signal {number.value} (", " requests, ",
                   "all as on the CPU")
    return output


def test_interrupt():
    """verify: Ctrl-C: 130, and what has been verified so far"""
    output = interrupted(signal.SIGINT, 130)
    expect(re.search(r"^verified  [1-9]\d* requests", output, re.M), output)


def test_terminate():
    """verify: SIGTERM: 143, also with --json and --quiet"""
    interrupted(signal.SIGTERM, 143)
    result = json.loads(interrupted(signal.SIGTERM, 143, "--json"))
    expect(result["signal"] == 15 and result["requests"] > 0, result)
    expect(interrupted(signal.SIGTERM, 143, "--quiet") == "", "--quiet")


# ---- An engine that errs ----


def without_addresses(text):
    return re.sub(r"0x[0-9a-f]{9,15}\b", "#", text)


def two_lines(errors):
    """What is wrong, and the words of the command line that repeats it."""
    lines = errors.splitlines()
    expect(len(lines) == 2 and lines[0].startswith("udma verify: channel "), errors)
    expect(lines[1].startswith("udma verify: to repeat it: "), errors)
    return lines[0], shlex.split(lines[1].split(": ", 2)[2])


def test_flip():
    """verify: the control: one spoiled byte is found, and named with its request"""
    errors = udma("verify", "--emulate=1,flip=1000", "--seed=7", "--seconds=1000", status=1).stderr
    line, command = two_lines(errors)
    named = re.search(rf"{CHANNEL}, {REQUEST}: byte \d+ of it {DIFFERENCE}", line)
    expect(named, line)
    number, got, expected, inside, outside = named.groups()
    # Two descriptors were used up when the channel was opened, some requests move no bytes, and
    # some need two descriptors.
    expect(500 < int(number) < 2000, line)
    expect(int(got, 16) ^ int(expected, 16) == 0xff, line)
    expect((inside, outside) == ("1", "0"), line)
    expect(command == [UDMA, "verify", "--emulate=1,flip=1000", "--channels=1", "--seed=7",
                       f"--count={number}"], command)


def repeats(errors, command, **options):
    again = udma(*command[1:], program=command[0], status=1, **options).stderr
    expect(without_addresses(again) == without_addresses(errors), f"{errors}{again}")


def test_flip_repeated():
    """verify: the command line that is printed finds the same byte again, and so does the seed"""
    for args in (["--emulate=1,flip=1000"], ["--emulate=1,flip=3000,xfercap=12,iova_bits=40"],
                 ["--emulate=1,flip=500", "--depth=3", "--max-size=10000", "--cores=" +
                  str(min(os.sched_getaffinity(0)))]):
        answer = udma("verify", *args, status=1)
        seed = answer.stdout.splitlines()[0].split()[1]
        _, command = two_lines(answer.stderr)
        expect(f"--seed={seed}" in command, command)
        repeats(answer.stderr, command)
        repeats(answer.stderr, [UDMA, "verify", *args, f"--seed={seed}"])


def test_flip_one_before():
    """verify: the control of the control: one request fewer finds nothing"""
    args = ["--emulate=1,flip=1000", "--seed=7"]
    number = int(re.search(REQUEST, udma("verify", *args, status=1).stderr)[1])
    expect(verify(*args, f"--count={number - 1}", "--depth=1")["errors"] == 0, number)


def test_flip_environment():
    """verify: what UDMA_EMULATE asked for is in the command line"""
    answer = udma("verify", env=environment(UDMA_EMULATE="1,flip= 2"), status=1)
    _, command = two_lines(answer.stderr)
    expect("--emulate=1,flip= 2" in command, command)
    repeats(answer.stderr, command)


def test_flip_two_channels():
    """verify: each channel that errs is reported, in text and in JSON"""
    answer = udma("verify", "--emulate=2,flip=1000", "--seed=7", "--json", status=1)
    result = json.loads(answer.stdout)
    expect(result["errors"] == 2 and len(answer.stderr.splitlines()) == 4, answer)
    for channel in result["channels"]:
        error = channel["error"]
        expect(channel["errors"] == 1 and error["kind"] == "mismatch", channel)
        expect("udma verify: " + error["message"] in answer.stderr.splitlines(), error)
        expect("udma verify: to repeat it: " + error["repeat"] in answer.stderr.splitlines(),
               error)
        request, difference = error["request"], error["difference"]
        expect(request["number"] == channel["requests"], error)
        expect(request["operation"] in ("copy", "fill"), error)
        expect((request["source"] is None) == (request["operation"] == "fill"), error)
        expect((request["pattern"] is None) == (request["operation"] == "copy"), error)
        start_of, offset = request["target"]["offset"], difference["offset"]
        expect(start_of <= offset < start_of + request["bytes"], error)
        expect(int(difference["address"], 16) - int(request["target"]["address"], 16) ==
               offset - start_of, error)
        expect(difference["memory"] == request["target"]["memory"], error)
        expect(difference["expected"] ^ difference["got"] == 0xff, error)
        expect(difference["inside"] == 1 and difference["outside"] == 0, error)


def test_flip_quiet():
    """verify: --quiet does not keep an error quiet"""
    answer = udma("verify", "--emulate=1,flip=100", "--quiet", status=1)
    expect(answer.stdout == "", answer.stdout)
    two_lines(answer.stderr)


def bad(what, *args, status=1, request=100, **more):
    """An engine that errs otherwise. Returns what --json says, and stderr."""
    env = environment(BAD_ENGINE=what, BAD_REQUEST=str(request), **more)
    answer = udma("verify", EMULATE, "--json", "--count=3000", "--seed=3", *args, env=env,
                  program=BAD_ENGINE, status=status)
    return json.loads(answer.stdout), answer.stderr


def one_bad(what, kind, *parts, **options):
    """Finds one error of a kind, described by these parts, and again with the command printed."""
    result, errors = bad(what, "--depth=1", **options)
    line, command = two_lines(errors)
    expect(result["errors"] == 1 and result["channels"][0]["error"]["kind"] == kind, result)
    for part in parts:
        expect(re.search(part, line), f"'{part}' is missing in: {line}")
    repeats(errors, command, env=environment(BAD_ENGINE=what, BAD_REQUEST="100"))
    return result["channels"][0]


def test_bad_inside():
    """verify: a wrong byte inside a request"""
    one_bad("inside", "mismatch", REQUEST + r": byte \d+ of it is", "1 inside, 0 outside")


def test_bad_before():
    """verify: a byte before a request has changed"""
    one_bad("before", "mismatch", REQUEST + ": byte 1 before it is", "0 inside, 1 outside")


def test_bad_behind():
    """verify: a byte behind a request has changed"""
    one_bad("behind", "mismatch", REQUEST + ": byte 1 behind it is", "0 inside, 1 outside")


def test_bad_stray():
    """verify: a byte somewhere else has changed"""
    channel = one_bad("stray", "stray", rf"after request \d+: byte \d+ of the target {PLACE} is",
                      "0 inside, 1 outside")
    expect(channel["error"]["request"] is None and channel["error"]["difference"], channel)
    expect(channel["requests"] >= 100, channel)


def test_bad_source():
    """verify: a source has been written to"""
    result, errors = bad("source")
    one_error_line(errors, "udma verify: a source was written to", "verify --emulate=1", "--seed=3")
    expect(result["sources_intact"] is False and result["errors"] == 1, result)


def test_bad_twice():
    """verify: a request that finishes twice"""
    one_bad("twice", "disorder", "after request 100: requests have not finished once each")


def test_bad_refusal():
    """verify: a request that is refused"""
    channel = one_bad("refuse", "refused", REQUEST + ": refused: Invalid argument")
    expect(channel["requests"] == 99 and channel["error"]["request"]["number"] == 100, channel)


def test_bad_halt():
    """verify: a channel that halts: the oldest request that has not finished is named"""
    result, errors = bad("halt")
    line, _ = two_lines(errors)
    expect(re.search(REQUEST + ": the engine failed at it: Input/output error", line), line)
    error = result["channels"][0]["error"]
    expect(error["kind"] == "failed", error)
    expect(error["request"]["number"] == result["requests"] + 1 < 100, error)


def test_faults():
    """verify: faults on demand are told in words: what has happened, and to which request"""
    gone = "all registers read as ones|the device is gone"
    for fault, said, told in (
            ("error:bit=9:at=100", "CHANERR 0x200: destination could not be written",
             "the engine failed at it: Input/output error"),
            ("halt:step=write:bit=7:at=100", "CHANERR 0x80: uncorrectable DMA data",
             "the engine failed at it: Input/output error"),
            ("wrong-word:at=9:every=1", "address that is not outstanding",
             "the channel failed: Input/output error"),
            ("ones:at=100", gone, "the channel failed: No such device"),
            ("removal:at=100", gone, "the channel failed: No such device"),
            ("flip:at=100", "", "do not use this channel")):
        answer = udma("verify", f"--emulate=1,fault={fault}", "--count=3000", "--quiet", status=1)
        lines = [line for line in answer.stderr.splitlines() if line.startswith("udma verify: ")]
        expect(re.search(said, answer.stderr), f"{fault}:\n{answer.stderr}")
        expect(len(lines) == 2 and re.search(REQUEST, lines[0]) and told in lines[0], lines)
        expect(lines[1].startswith("udma verify: to repeat it: "), lines)
    for fault in ("late-store:every=1", "early-source:every=2", "lost-word:at=5:every=3",
                  "delay:us=100:every=50", "reset:us=1000:every=1"):
        verify(f"--emulate=2,fault={fault}", "--count=3000")


def test_failure_repeated():
    """verify: the command line that is printed fails again, whichever request the channel failed at"""
    for seed in range(4):
        for fault in ("removal:at=50", "ones:at=300", "error:bit=9:at=100",
                      "halt:step=write:bit=7:at=200"):
            answer = udma("verify", f"--emulate=1,fault={fault}", "--count=1000", "--json",
                          f"--seed={seed}", status=1)
            error = json.loads(answer.stdout)["channels"][0]["error"]
            expect("udma verify: to repeat it: " + error["repeat"] in answer.stderr.splitlines(),
                   answer)
            command = shlex.split(error["repeat"])
            again = udma(*command[1:], "--json", program=command[0], status=1)
            expect(json.loads(again.stdout)["channels"][0]["error"]["kind"] == "failed", again)


def test_hang_interrupted():
    """verify: Ctrl-C while an engine hangs: it is stopped, and not waited for"""
    with start("verify", "--emulate=1,fault=hang:at=50") as process:
        wait_for_threads(process)
        process.send_signal(signal.SIGINT)
        one_error_line(end(process, 130), "stopped by signal 2")


def test_bad_gone():
    """verify: a device that is gone"""
    result, errors = bad("gone")
    expect(re.search(REQUEST + ": the channel failed: No such device", errors), errors)
    expect(result["channels"][0]["error"]["kind"] == "failed", result)


def test_bad_hang():
    """verify: a channel that completes nothing any more is given up, the others go on"""
    result, errors = bad("hang", "--channels=2")
    expect(len(re.findall(REQUEST + ": nothing has completed for a long time", errors)) == 2,
           errors)
    expect([c["error"]["kind"] for c in result["channels"]] == ["hang", "hang"], result)


def test_bad_hang_interrupted():
    """verify: Ctrl-C while a channel completes nothing any more"""
    env = environment(BAD_ENGINE="hang", BAD_REQUEST="100")
    with subprocess.Popen([BAD_ENGINE, "verify", EMULATE, "--json"], env=env,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        wait_for_threads(process)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate()
    expect(process.returncode == 130, process.returncode)
    one_error_line(errors.decode(), "stopped by signal 2")
    expect(json.loads(output)["requests"] < 100, output)


def test_full_ring():
    """verify: a ring that is full is no error"""
    result, _ = bad("full", status=0)
    expect(result["requests"] == 3000 and result["errors"] == 0, result)


def test_no_fill():
    """verify: an engine that cannot fill, or not everywhere, copies instead"""
    result, _ = bad("no fill", status=0)
    expect(result["fills"] == 0 and result["copies"] == 3000, result)
    result, errors = bad("fill at 8", status=0)
    expect(0 < result["fills"] < 1000 and result["requests"] == 3000, result)
    expect(errors == "", errors)


# ---- Usage ----


def test_no_device():
    """verify: without a device it says so, names the ways out, and ends with 2"""
    found = subprocess.run([UDMA, "list", "--json"], env=environment(), capture_output=True,
                           check=False)
    if json.loads(found.stdout):
        raise Skip("this machine has I/OAT devices")
    for args in ([], ["--channels=2"], ["--emulate=0"]):
        answer = udma("verify", *args, status=2)
        expect(answer.stdout == "", answer.stdout)
        one_error_line(answer.stderr, "udma verify:", "no I/OAT channel", "vfio-pci", "--emulate")


def test_numa():
    """verify: --numa chooses by node: an emulated channel is on none that is known; 2"""
    answer = udma("verify", "--emulate=2", "--numa=0", status=2)
    one_error_line(answer.stderr, "no channel is known to be on NUMA node 0", "udma list")
    one_error_line(udma("verify", "--emulate", "--numa=north", status=2).stderr, "--numa", "'north'")


def test_too_many_channels():
    """verify: more channels than there are: says how many, and 2"""
    answer = udma("verify", "--emulate=2", "--channels=3", status=2)
    one_error_line(answer.stderr, "there are 2", "--channels=2", "--emulate=3")


def test_too_much_memory():
    """verify: more memory than there is: refused, and not taken from others"""
    with open("/proc/meminfo", encoding="ascii") as meminfo:
        available = int(re.search(r"MemAvailable: +(\d+)", meminfo.read())[1]) << 10
    if available > 224 * 4 * (128 << 20):
        raise Skip("this machine has enough memory for everything")
    answer = udma("verify", "--emulate=224", "--max-size=64M", status=1)
    one_error_line(answer.stderr, "GiB of memory", "--channels", "--max-size")


def test_bad_usage():
    """verify: unknown options, superfluous words, absurd values: one line, and 2"""
    for args, *parts in ((["--sead=1"], "'--sead=1'", "--help"), (["-x"], "'-x'", "--help"),
                         (["--json=1"], "'--json=1'"), (["--seconds"], "'--seconds'"),
                         (["60"], "'60'", "'='"), ([EMULATE, "2"], "'2'", "'='")):
        one_error_line(udma("verify", *args, status=2).stderr, "udma verify:", *parts)
    for value in ("", "x", "-1", "10s", "0x10", "0", "1000000001", "1.5.5"):
        one_error_line(udma("verify", EMULATE, f"--seconds={value}", status=2).stderr,
                       f"--seconds is '{value}'", "from 0.01 to 1000000000")
    for option, least, most in (("count", 1, 10**15), ("seed", 0, 2**63 - 1),
                                ("channels", 1, 224), ("depth", 1, 32768)):
        for value in ("", "x", "-1", "1.5", "10s", "0x10", str(least - 1), str(most + 1),
                      "99999999999999999999"):
            one_error_line(udma("verify", EMULATE, f"--{option}={value}", status=2).stderr,
                           f"--{option} is '{value}'", f"from {least} to {most}")
    for value in ("", "0", "x", "K", "-1", "1KK", "65M", "1G", "4k", "99999999999999999999",
                  "9" * 100):
        one_error_line(udma("verify", EMULATE, f"--max-size={value}", status=2).stderr,
                       f"--max-size is '{value}'", "4096 or 64K")


def test_bad_cores():
    """verify: CPUs that there are not, or that are no CPUs: one line, and 2"""
    for value in ("", "x", "0-", "1-0", "5000", "[0", "0x"):
        one_error_line(udma("verify", EMULATE, f"--cores={value}", status=2).stderr, "cores")
    cpu = max(os.sched_getaffinity(0))
    for value in (str(cpu + 1), f"{cpu},1023", "0x0"):
        one_error_line(udma("verify", EMULATE, f"--cores={value}", status=2).stderr,
                       f"--cores is '{value}'", "0x")


if __name__ == "__main__":
    run(sys.modules[__name__])
