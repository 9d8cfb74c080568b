#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The verbs and variables of SPDK's scripts/setup.sh; the work is that of `udma setup`.
set -u -o pipefail
here=$(dirname "$0")/..
. "$here/scripts/common.sh"

usage() {
    cat <<'END'
Usage: sudo [VARIABLE=VALUE …] scripts/setup.sh [VERB] [OPTION of `udma setup` …]

  config   bind the I/OAT channels to a driver for user space, and make hugepages (the default)
  reset    restore what was there before
  status   show channels, drivers, IOMMU groups, hugepages and limits
  cleanup  remove files that ended processes and earlier boots have left
  help     print this

Variables:

  HUGEMEM          hugepages in MiB (default 2048), in all, or on each node of HUGENODE
  NRHUGE           in place of HUGEMEM, a number of pages; 0: none are made
  HUGENODE         NUMA nodes: 0,1 or nodes_hp[0]=512,nodes_hp[1]=64
  SKIP_HUGE        yes: leave hugepages alone, whatever these say
  PCI_ALLOWED      addresses of channels, with blanks or newlines between them:
                   these only; none: hugepages alone, with or without a channel
  PCI_BLOCKED      not these
  TARGET_USER      give the channels to this user (vfio-pci with an IOMMU;
                   default: who called sudo)
  DRIVER_OVERRIDE  bind to this driver, by its name; none: take the driver away,
                   and no more
  UDMA             the program udma (default build/tools/udma, built if it is missing)

An option counts more than a variable. Nothing but I/OAT functions is touched. `udma setup --help`
has the options; --dry-run prints each write.

Example: sudo HUGEMEM=512 scripts/setup.sh
END
}

verb=${1-config}
[ $# -eq 0 ] || shift
case "$verb" in
help | -h | --help)
    usage
    exit 0
    ;;
-*) # an option, and no verb
    set -- "$verb" "$@"
    verb=config
    ;;
esac

# Of variables that contradict each other SKIP_HUGE counts, then NRHUGE; and an option more than they.
huge=
for option; do
    case "$option" in
    --huge-[mp]* | --no-*) huge=given ;;
    esac
done

options=()
if [ -n "$huge" ]; then
    :
elif [ "${SKIP_HUGE-}" = yes ]; then
    options+=(--no-huge)
elif [ -n "${NRHUGE-}" ]; then
    options+=("--huge-pages=$NRHUGE")
elif [ -n "${HUGEMEM-}" ]; then
    options+=("--huge-mem=${HUGEMEM}M")
fi
[ -z "${HUGENODE-}" ] || options+=("--huge-nodes=$HUGENODE")
[ -z "${PCI_ALLOWED-}" ] || options+=("--allow=$PCI_ALLOWED")
[ -z "${PCI_BLOCKED-}" ] || options+=("--block=$PCI_BLOCKED")
[ -z "${TARGET_USER-}" ] || options+=("--user=$TARGET_USER")
[ -z "${DRIVER_OVERRIDE-}" ] || options+=("--driver=$DRIVER_OVERRIDE")

if [ -z "${UDMA-}" ]; then
    UDMA=$here/build/tools/udma
    if [ ! -x "$UDMA" ]; then
        (cd "$here" && install_packages build && build build -Dtests=false) >&2 || exit 1
    fi
fi
exec "$UDMA" setup "$verb" ${options[@]+"${options[@]}"} "$@"
