# shellcheck shell=dash
# SPDX-License-Identifier: BSD-3-Clause
# What the tests ask of a guest: channels, interrupts, dmatest. Sourced by its shell (busybox).

# mark; since: what has been added to the kernel's log since the last mark, without the times.
marks=0
marker=mark
mark() {
    marks=$((marks + 1))
    echo "udma-vm: $marker $marks" >/dev/kmsg
}
since() {
    dmesg | sed -n "/udma-vm: $marker $marks\$/,\$s/^\[[^]]*\] //p" | tail -n +2
}

# What no test may make the kernel say.
complaints() {
    dmesg | grep -E -e 'BUG|WARNING:|Oops|general protection|blocked for more than' \
        -e 'ioatdma .*([Ss]elf-?test|init failed|no usable interrupts)'
}

# The functions that ioatdma drives, and the channels that it has registered.
functions() {
    find /sys/bus/pci/drivers/ioatdma -name '0*:*' -exec basename {} \; | sort
}
channels() {
    find /sys/class/dma -name 'dma*chan*' -exec basename {} \; | sort
}

# interrupts KIND: how many of a kind (msix, msi, intx) have come to ioatdma, a line for each interrupt
# that it has.
interrupts() {
    awk -v kind="ioat-$1" 'index($0, kind) { sum = 0
        for (i = 2; $i ~ /^[0-9]+$/; i++) sum += $i
        print sum }' /proc/interrupts
}

# channel FUNCTION: the channel that belongs to it.
channel() {
    basename "/sys/bus/pci/devices/$1/dma/"*
}

# channels_of ID: the channels of the functions with a device id, with what ioatdma says of each:
# "CHANNEL VERSION OPERATION …".
channels_of() {
    local function channel
    for function in $(functions); do
        [ "$(cat "/sys/bus/pci/devices/$function/device")" = "0x$1" ] || continue
        channel=$(channel "$function")
        echo "$channel" $(cat "/sys/class/dma/$channel/quickdata/version" \
            "/sys/class/dma/$channel/quickdata/cap")
    done
}

# reload [PARAMETER=VALUE …]: ioatdma anew. By itself it looks every 200 ms for completions of which no
# interrupt told, and resets a channel without any for 400 ms; here an interrupt that is lost makes a
# test fail, and a machine that is slow does not.
reload() {
    if [ -d /sys/module/ioatdma ]; then
        modprobe -r ioatdma || return
    fi
    modprobe ioatdma completion_timeout=1000000 "$@"
}

# dmatest_start "CHANNEL …" [PARAMETER=VALUE …]: begins a run of the kernel's own test of channels.
dmatest_start() {
    local channels=$1 channel parameter
    shift
    modprobe dmatest || return
    # A transfer that takes long on a busy machine is none that failed.
    for parameter in timeout=60000 "$@"; do
        echo "${parameter#*=}" >"/sys/module/dmatest/parameters/${parameter%%=*}" || return
    done
    mark
    for channel in $channels; do
        echo "$channel" >/sys/module/dmatest/parameters/channel || return
    done
    echo 1 >/sys/module/dmatest/parameters/run
}

# dmatest "CHANNEL …" [PARAMETER=VALUE …]: a run to its end. Prints "THREAD TESTS FAILURES" for each
# thread, and the first messages about failures.
dmatest() {
    dmatest_start "$@" && dmatest_wait
    modprobe -r dmatest
}

# dmatest_wait: to the end of what was started. The channels are its own until the module is removed.
dmatest_wait() {
    local threads done=0
    # The parameter "wait" has been seen to return before the end.
    threads=$(since | sed -n 's/.*dmatest: Added \([0-9]*\) threads using.*/\1/p' |
        awk '{ sum += $1 } END { print sum + 0 }')
    while [ "$done" -lt "$threads" ]; do
        sleep 0.2
        done=$(since | grep -c 'dmatest: .*: summary ')
    done
    since |
        sed -n 's/dmatest: \([^ :]*\): summary \([0-9]*\) tests, \([0-9]*\) failures.*/\1 \2 \3/p'
    since | grep 'dmatest: .*result #' | head -n 10
}

# load_start "CHANNEL …": transfers in the background. load_stop: to their end, with what dmatest prints.
# They are many short runs, for 6.1's dmatest takes what it is stopped in for a failure.
load_start() {
    touch /tmp/load
    (
        marker=load
        while [ -e /tmp/load ]; do
            dmatest "$1" iterations=200 threads_per_chan=2
        done
    ) >/tmp/load.log 2>&1 &
}
load_stop() {
    rm /tmp/load
    wait
    cat /tmp/load.log
}

# fault CHANNEL [PARAMETER=VALUE …]: makes a channel fail (udma_fault.c), and prints what became of it.
fault() {
    local channel=$1 loaded
    shift
    # The driver is not to announce a burst in pieces.
    echo 1000 >/sys/module/ioatdma/parameters/ioat_pending_level
    mark
    insmod /udma_fault.ko channel="$channel" "$@"
    loaded=$?
    since | sed -nE 's/^udma_fault: (results|written|victim|recovered) /\1 /p'
    [ $loaded -eq 0 ] && rmmod udma_fault
}

# rebind FUNCTION: takes a function from ioatdma, and gives it back.
rebind() {
    echo "$1" >/sys/bus/pci/drivers/ioatdma/unbind && echo "$1" >/sys/bus/pci/drivers/ioatdma/bind
}

# functions_of_ours: the I/OAT functions of the machine, whoever drives them.
functions_of_ours() {
    grep -l 0x8086 /sys/bus/pci/devices/*/vendor | while read -r vendor; do
        device=${vendor%/vendor}
        case $(cat "$device/class") in
        0x0880*) basename "$device" ;;
        esac
    done
}

# bind DRIVER [FUNCTION …]: gives functions, or all, to a driver; "" to none.
bind() {
    local driver=$1 function
    shift
    [ -z "$driver" ] || modprobe "$driver" || return
    [ "$driver" != vfio-pci ] || modprobe vfio_iommu_type1 || return
    for function in ${*:-$(functions_of_ours)}; do
        if [ -e "/sys/bus/pci/devices/$function/driver" ]; then
            echo "$function" >"/sys/bus/pci/devices/$function/driver/unbind" || return
        fi
        echo "${driver:-none}" >"/sys/bus/pci/devices/$function/driver_override"
        echo "$function" >/sys/bus/pci/drivers_probe
    done
}

# make_user: makes a user without privileges.
make_user() {
    grep -q '^user:' /etc/passwd 2>/dev/null || {
        mkdir -p /etc
        echo 'user:x:1000:1000::/tmp:/bin/sh' >>/etc/passwd
        chmod 1777 /tmp /var/tmp
    }
}

# user COMMAND …: as that user, who owns the groups of VFIO.
user() {
    make_user
    find /dev/vfio -name '[0-9]*' -exec chown 1000 {} +
    su user -c "$*"
}

# there_is: all that setup may change, as it is now.
there_is() {
    udma setup status | cat
    udma setup status --json
    for device in /sys/bus/pci/devices/*; do
        echo "$device $(readlink "$device/driver") $(cat "$device/driver_override")"
    done
    cat /proc/sys/vm/nr_hugepages
    find /run -name 'setup.journal*'
}

# wait_claimed: until a process has claimed a channel.
wait_claimed() {
    until ls /var/tmp/spdk_pci_lock_* >/dev/null 2>&1; do sleep 0.05; done
}

# make_dax: makes the persistent memory a DAX device, as ndctl does: /dev/dax0.0.
make_dax() {
    local seed
    modprobe nfit && modprobe nd_pmem && modprobe device_dax && modprobe dax_pmem || return
    until [ -e /sys/bus/nd/devices/namespace0.0 ]; do sleep 0.1; done
    echo namespace0.0 >/sys/bus/nd/drivers/nd_pmem/unbind
    seed=$(cat /sys/bus/nd/devices/region0/dax_seed)
    cd "/sys/bus/nd/devices/$seed" || return
    echo 2097152 >align && echo ram >mode && cat /proc/sys/kernel/random/uuid >uuid &&
        echo namespace0.0 >namespace
    cd /
    echo "$seed" >/sys/bus/nd/drivers/dax_pmem/bind
    until [ -e /dev/dax0.0 ]; do sleep 0.1; done
}

# completed: how many copies the program "busy" has completed.
completed() {
    local copies
    copies=$(cat /tmp/completed 2>/dev/null)
    echo "${copies:-0}"
}

# kills MiB huge|"": a process that is copying is killed, with copies done and others outstanding;
# nothing is written afterwards; the channel can be attached.
kills() {
    local before
    rm -f /var/tmp/spdk_pci_lock_* /tmp/completed
    busy /tmp/completed &
    # Some have been completed, and others will be until the end: it goes on.
    until [ "$(completed)" -ge 8 ]; do
        kill -0 $! || return
        usleep 10000
    done
    usleep $(($(shuf -i 0-800 -n 1) * 1000))
    before=$(completed)
    until [ "$(completed)" -gt "$before" ]; do
        kill -0 $! || return
        usleep 1000
    done
    kill -9 $! || return
    wait $!
    echo "killed after $(completed) copies"
    # shellcheck disable=SC2086
    guard "$1" 100 $2 && udma verify --channels=1 --count=20 --quiet
}

# as NAME [ARGUMENT …]: a program of Debian's, with its own libraries: udevadm, modprobe, …
as() {
    local name=$1 program=kmod
    shift
    case $name in *udev*) program=udevadm ;; esac
    /udev/ld-linux-x86-64.so.2 --library-path /udev --argv0 "$name" "/udev/$program" "$@"
}

# install_files: puts text that has "# /PATH" above what belongs there into those files.
install_files() {
    awk '/^# \// { file = $2; folder = file; sub("/[^/]*$", "", folder); system("mkdir -p " folder) }
        file { print >file }'
}
