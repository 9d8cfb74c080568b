# SPDX-License-Identifier: BSD-3-Clause
"""udma setup while another run is at work, up to the moment of its lock (before_lock.c)."""

import os
import sys
import time

from machine import JOURNAL, Kernel, one_function, ONE, setup
from tap import end, environment, expect, run, start, udma

BEFORE_LOCK = os.path.abspath(sys.argv[2])


def overtaken(machine, verb, by):
    """Runs a verb up to its lock, then another one from end to end, then the first to its end."""
    with Kernel(machine):
        root = f"--root={machine.root}"
        held = os.path.join(machine.root, "held")
        with start("setup", verb, root,
                   env=environment(LD_PRELOAD=BEFORE_LOCK, BEFORE_LOCK=held)) as process:
            while not os.path.exists(held + ".reached") and process.poll() is None:
                time.sleep(0.002)
            udma("setup", by, root)
            machine.write("held.go", "")
            end(process, 0)


def test_reset_overtaken_by_config():
    """setup: a reset that a config has overtaken undoes it, and forgets nothing before"""
    machine = one_function(pages=5)
    overtaken(machine, "reset", "config")
    expect((machine.driver(ONE), machine.pages(0)) == ("ioatdma", "5"), machine.driver(ONE))
    expect(not os.path.exists(machine.path(JOURNAL)), "everything is restored")


def test_config_overtaken_by_reset():
    """setup: a config that a reset has overtaken sets up what it finds then, for reset to undo"""
    machine = one_function(pages=5)
    setup(machine, "config")
    overtaken(machine, "config", "reset")
    expect((machine.driver(ONE), machine.pages(0)) == ("vfio-pci", "1024"), machine.driver(ONE))
    setup(machine, "reset")
    expect((machine.driver(ONE), machine.pages(0)) == ("ioatdma", "5"), machine.driver(ONE))


if __name__ == "__main__":
    run(sys.modules[__name__])
