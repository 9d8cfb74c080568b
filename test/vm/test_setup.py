# SPDX-License-Identifier: BSD-3-Clause
"""scripts/setup.sh takes channels from ioatdma and gives them back, with everything as it was."""

from rig import (FULL, KERNELS, Server, case, expect, machine, needs_server, no_complaints,
                 parse_dmatest, passes_dmatest, run, says, scenario, scripts)

# How often there and back.
ROUNDS = 10 if FULL else 2
# A crash before every one of the changes, or before every fourth.
STEP = 1 if FULL else 4

SCRIPT = "UDMA=/bin/udma /udma/scripts/setup.sh"
VERIFY = "udma verify --count=100 --depth=64 --max-size=256K --quiet"
# By driver: what sets it up, and what uses it then.
WAYS = {
    "vfio-pci": (f"TARGET_USER=user HUGEMEM=16 {SCRIPT}", f'su user -c "{VERIFY}"'),
    "uio_pci_generic": (f"NRHUGE=64 {SCRIPT} config", VERIFY),
}
JOURNAL = "/run/udma/setup.journal"


def begin(guest):
    """ioatdma has all functions. Returns them, and all that setup may change."""
    guest.sh("make_user && reload && mark")
    return guest.sh("functions").split(), guest.sh("there_is")


def is_as_before(guest, functions, before):
    """ioatdma has its functions again, it has tested them, and all is as it was, to the byte."""
    now = guest.sh("there_is")
    expect(now == before, f"{before}\n\nhas become\n\n{now}")
    expect(guest.sh("functions").split() == functions, guest.sh("since"))
    expect(len(guest.sh("channels").split()) == len(functions), guest.sh("since"))
    no_complaints(guest)


def there_and_back(guest, driver, functions, before):
    """One round."""
    config, verify = WAYS[driver]
    text = guest.sh(f"mark; {config}")
    for function in functions:
        expect(f"{function}: ioatdma -> {driver}" in text, text)
    guest.sh(verify)
    expect("->" not in guest.sh(config), "the second time it changes nothing")
    text = guest.sh(f"{SCRIPT} reset")
    for function in functions:
        expect(f"{function}: {driver} -> ioatdma" in text, text)
    is_as_before(guest, functions, before)
    passes_dmatest(guest, 20)


def used_by_kernel(guest, functions, before):
    """dmatest has the first channel, at work and afterwards."""
    first, second = functions
    guest.sh(f'dmatest_start "$(channel {first})" iterations=300')
    says(guest, "udma setup config --no-huge", f"{first}: the kernel (dmatest) uses it", "--force",
         f"{second}: ioatdma -> vfio-pci")
    threads, messages = parse_dmatest(guest.sh("dmatest_wait && modprobe -r dmatest"))
    expect(len(threads) == 1 and threads[0][2] == 0, [threads, messages])
    guest.sh("udma setup reset")
    is_as_before(guest, functions, before)


def forced(guest, functions):
    """dmatest has the first channel, and has not used it.

    Nothing may be released afterwards: ioatdma would access registers that it has no more.
    """
    first, _ = functions
    guest.sh(f'modprobe dmatest && channel {first} >/sys/module/dmatest/parameters/channel')
    says(guest, "udma setup config --no-huge", "the kernel (dmatest) uses it")
    text = guest.sh("udma setup config --force --huge-pages=4")
    expect(f"{first}: ioatdma -> vfio-pci" in text, text)
    guest.sh(VERIFY)


def used_by_process(guest, functions, before):
    """A process has a channel that is to be given back."""
    guest.sh("udma setup config --no-huge")
    guest.sh("udma verify --channels=1 --seconds=1000 --quiet & wait_claimed")
    says(guest, "udma setup reset", f"{functions[0]}: process ", "(udma) has it",
         f"{functions[1]}: vfio-pci -> ioatdma")
    guest.sh("kill $!; wait $!", status=143)
    guest.sh("udma setup reset")
    is_as_before(guest, functions, before)


def crashes(guest, verb, functions, before):
    """A run is killed before each change that it makes, and reset makes it good.

    On one processor: from one to another each stop of a traced process takes milliseconds.
    """
    config = f"udma setup config --user=user --huge-pages=4 --allow={functions[0]}"
    n, status = 1, "137"
    while status == "137":
        command = config
        if verb == "reset":
            guest.sh(config)
            command = "udma setup reset"
        status = guest.sh(f"taskset 1 killed_at {n} {command} >/dev/null; echo $?")
        expect(status in ("0", "137"), status)
        guest.sh("udma setup reset")
        is_as_before(guest, functions, before)
        n += STEP
    expect(n > 10, f"it was killed up to its change {n - STEP} only")


def rebooted(guest, functions, before):
    """What a journal of an earlier boot says is not so any more."""
    journal = guest.sh(f"base64 -w 0 {JOURNAL}")
    guest.send("reboot -f")
    guest.wait_ready()
    keep = f"mkdir -p /run/udma && echo {journal} | base64 -d >{JOURNAL}"
    guest.sh("make_user && reload")
    guest.sh(keep)
    expect("of another boot" in guest.sh("udma setup status"), "status")
    expect("nothing to reset" in guest.sh("udma setup reset"), "reset")
    is_as_before(guest, functions, before)
    guest.sh(keep)
    there_and_back(guest, "vfio-pci", functions, before)


def setup(kernel, driver):
    """From ioatdma to a driver for user space, and back."""
    title = f"{kernel}, {driver}"
    bits = 48 if driver == "vfio-pci" else None
    with Server(2) as server, \
            machine(kernel, server.sockets, scripts(), iommu=bits, reboots=True) as guest:
        state = begin(guest)
        with case(f"{title}: set up, used and given back to ioatdma, {ROUNDS} times"):
            for _ in range(ROUNDS):
                there_and_back(guest, driver, *state)
        if driver == "vfio-pci":
            with case(f"{title}: what the kernel uses is left, with the user's name"):
                used_by_kernel(guest, *state)
            with case(f"{title}: what a process uses is not given back, and the process named"):
                used_by_process(guest, *state)
            for verb in ("config", "reset"):
                with case(f"{title}: {verb} is killed half-way, and reset makes it good"):
                    crashes(guest, verb, *state)
            with case(f"{title}: what the kernel uses is taken by force"):
                forced(guest, state[0])
            with case(f"{title}: a reboot ends what the journal says"):
                rebooted(guest, *state)
        with case(f"{title}: the kernel's log is clean, and the guest powers off"):
            no_complaints(guest)
            guest.power_off()


def near(kernel):
    """Channels and hugepages on two NUMA nodes."""
    title = f"{kernel}, two NUMA nodes"
    with Server(2) as server, machine(kernel, server.sockets, scripts(), numa=True) as guest:
        functions, before = begin(guest)
        with case(f"{title}: list and status show where channels are, and --numa chooses"):
            guest.sh(f"HUGENODE=1 NRHUGE=64 {SCRIPT}")
            for command in ("udma list", "udma setup status"):
                heading, *lines = guest.sh(command + " | cat").splitlines()
                at = heading.index("NUMA")
                nodes = {line.split()[0]: line[at:].split()[0] for line in lines[:2]}
                expect(nodes == dict(zip(functions, "01")), [command, nodes])
            for node, function in enumerate(functions):
                text = guest.sh(f"udma verify --count=100 --numa={node} | cat")
                expect([name for name in functions if name in text] == [function], text)
            says(guest, "udma verify --count=100 --numa=7",
                 "no channel is known to be on NUMA node 7", status=2)
        with case(f"{title}: hugepages are made on the node that is named, and go again"):
            pages = "cat /sys/devices/system/node/node[01]/hugepages/hugepages-2048kB/nr_hugepages"
            expect(guest.sh(pages).split() == ["0", "64"], guest.sh(pages))
            guest.sh(f"{SCRIPT} reset")
            is_as_before(guest, functions, before)
        guest.power_off()


def main():
    """udma setup gives channels to user space, and back"""
    for kernel, driver in ((KERNELS[-1], "vfio-pci"), (KERNELS[0], "uio_pci_generic")):
        scenario(setup, kernel, driver)
    scenario(near, KERNELS[-1])
    if FULL:
        for kernel, driver in ((KERNELS[0], "vfio-pci"), (KERNELS[-1], "uio_pci_generic")):
            scenario(setup, kernel, driver)


if __name__ == "__main__":
    run(main, needs_server)
