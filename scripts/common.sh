# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# What the scripts share: packages, builds, and how to say things. Sourced, not run.

say() {
    printf '\n== %s\n' "$*"
}

die() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# The packages of the kinds named ("build", "test") that are not installed.
missing_packages() {
    local kind package
    while read -r kind package; do
        case "$kind" in
        '' | '#'*) continue ;;
        esac
        case " $* " in
        *" $kind "*) ;;
        *) continue ;;
        esac
        dpkg-query -W -f='${Status}\n' "$package" 2>/dev/null | grep -q '^install ok installed$' ||
            printf '%s ' "$package"
    done <scripts/packages
}

install_packages() {
    local missing
    missing=$(missing_packages "$@")
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" -ne 0 ]; then
        die "these packages are missing, and installing takes root: sudo apt-get install $missing"
    fi
    say "Installing $missing"
    export DEBIAN_FRONTEND=noninteractive
    # A list of packages that is old, or not there, is fetched; one that serves is not.
    # shellcheck disable=SC2086
    apt-get install -y -q --no-install-recommends $missing >/dev/null 2>&1 ||
        { apt-get update -q && apt-get install -y -q --no-install-recommends $missing; } ||
        die "apt-get could not install: $missing"
}

# build DIR [meson option …]: configures once, then builds what is not up to date.
build() {
    local dir=$1
    shift
    [ -f "$dir/build.ninja" ] || meson setup "$dir" "$@" || die "meson could not configure $dir"
    ninja -C "$dir" || die "the build in $dir failed"
}
