# SPDX-License-Identifier: BSD-3-Clause
"""udma perf on a channel that halts, or is never done any more (stall.c): an error, never a hang."""

import os
import signal
import sys
import time

from tap import end, environment, expect, one_error_line, run, start, udma

STALL = os.path.abspath(sys.argv[2])
SIZES = "--size=512,4K"


def stalling(what, after, **more):
    """An environment in which a channel does `what` after so many polls."""
    return environment(LD_PRELOAD=STALL, STALL=what, STALL_AFTER=str(after), **more)


def test_control():
    """stall: the control: a channel that would halt later than the last poll"""
    answer = udma("perf", "--emulate", "--seconds=0.05", env=stalling("halt", 1 << 40))
    expect(answer.stderr == "", answer.stderr)


def test_halt():
    """stall: a channel that halts, at once or in the middle: 1, and which it was"""
    for after in (0, 1, 10000):
        answer = udma("perf", "--emulate", "--seconds=1000", env=stalling("halt", after), status=1)
        one_error_line(answer.stderr, "udma perf: channel eeee:00:04.0 (emulated)", "copy of 4K",
                       "Input/output error")
        expect(answer.stdout == "", answer.stdout)


def test_hang():
    """stall: a channel that is never done: 1 after tens of seconds, and which it was"""
    for after in (0, 1, 10000):
        answer = udma("perf", "--emulate", "--seconds=1000", env=stalling("rush", after), status=1)
        one_error_line(answer.stderr, "udma perf: channel eeee:00:04.0 (emulated)",
                       "completed nothing for 30 seconds", "4K")
        expect(answer.stdout == "", answer.stdout)


def test_one_hangs():
    """stall: one of two channels on a CPU is never done while the other goes on"""
    cpu = min(os.sched_getaffinity(0))
    answer = udma("perf", "--emulate", "--channels=2", f"--cores={cpu}", "--seconds=1000",
                  env=stalling("rush", 1000, STALL_ONE="1"), status=1)
    one_error_line(answer.stderr, "udma perf: channel eeee:00:04.0 (emulated)",
                   "completed nothing for 30 seconds")


def test_interrupt_hang():
    """stall: Ctrl-C while a channel is never done: 130, without waiting for it to be given up"""
    with start("perf", "--emulate", "--seconds=1000", "--json",
               env=stalling("hang", 1000, STALL_SIGN="sign")) as process:
        while not os.path.exists("sign"):
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        one_error_line(end(process, 130), "stopped by signal 2")


def test_one_of_two():
    """stall: both of two channels halt on two CPUs: the other thread ends as well"""
    answer = udma("perf", "--emulate", "--channels=2", "--seconds=1000", SIZES,
                  env=stalling("halt", 1000), status=1)
    for line in answer.stderr.splitlines():
        one_error_line(line, "udma perf: channel eeee:00:04.", "Input/output error")
    expect(answer.stderr != "", "an error")


if __name__ == "__main__":
    run(sys.modules[__name__])
