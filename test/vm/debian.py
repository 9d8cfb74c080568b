# SPDX-License-Identifier: BSD-3-Clause
"""Debian's packages, looked up and unpacked beside the system: nothing installed, no root needed.

apt runs with a state of its own in a folder of ours. The mirror is that of the machine's own
sources; the suites are those that are asked for.
"""

import os
import re
import subprocess
import sys
import tempfile

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# The names under which a machine's sources may know a release. The archive has all of them.
RELEASES = ("stable", "oldstable", "oldoldstable", "testing", "unstable", "sid",
            "bookworm", "trixie", "forky")


class Missing(Exception):
    """Something that could not be had: says what, why, and the way out."""


def run(command, what, **options):
    """Runs a program to its end. Returns what it printed; its failure is that of `what`."""
    options.setdefault("stdout", subprocess.PIPE)
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              text=True, errors="replace", check=False, **options)
    except OSError as error:
        raise Missing(f"{what}: cannot run {command[0]}: {error.strerror}; it takes a Debian "
                      "system (packages: see scripts/packages)") from error
    if done.returncode != 0:
        said = [line for line in (done.stderr or done.stdout or "").splitlines() if line.strip()]
        said = [line for line in said if "rror: " in line][:3] or said[-3:]
        raise Missing(f"{what}: {os.path.basename(command[0])} ended with {done.returncode}: "
                      f"{' / '.join(said)}")
    return done.stdout


def mirrors():
    """The addresses of Debian's archive, and of its security archive, as this machine has them."""
    listing = run(["apt-get", "--print-uris", "update"], "Debian's mirror")
    archive = security = None
    for base, suite in re.findall(r"^'(\S+)/dists/(\S+)/InRelease'", listing, re.M):
        if suite in RELEASES:
            archive = archive or base
        elif re.fullmatch("(" + "|".join(RELEASES) + ")-security", suite):
            security = security or base
    if archive is None:
        raise Missing("Debian's mirror: no source of this machine is Debian's archive; add one to "
                      "/etc/apt/sources.list.d")
    if not os.path.exists(KEYRING):
        raise Missing(f"Debian's mirror: {KEYRING} is not there; install debian-archive-keyring")
    return archive, security or archive + "-security"


class Apt:
    """apt with its state in `folder`, for the suites given in update(), and one architecture."""

    def __init__(self, folder, architecture="amd64"):
        self.folder = folder
        self.architecture = architecture
        self.environment = {**os.environ, "LC_ALL": "C",
                            "APT_CONFIG": os.path.join(folder, "apt.conf")}

    def update(self, suites):
        """Fetches the lists of packages of all suites."""
        archive, security = mirrors()
        # How this machine reaches a mirror, a proxy for instance; but not what it does besides.
        reach = [line for line in run(["apt-config", "dump"], "apt's settings").splitlines()
                 if line.startswith("Acquire::") and not line.startswith("Acquire::IndexTargets")]
        for name in ("lists/partial", "archives/partial", "sources"):
            os.makedirs(os.path.join(self.folder, name), exist_ok=True)
        self._write("status", "")
        for suite in suites:
            mirror = security if suite.endswith("-security") else archive
            self._write("sources/" + suite, f"deb [signed-by={KEYRING}] {mirror} {suite} main\n")
        self._write("apt.conf", "\n".join(reach) + f'''
Dir "{self.folder}";
Dir::Etc "{self.folder}";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Parts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::State "{self.folder}";
Dir::State::status "{self.folder}/status";
Dir::Cache "{self.folder}";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Dir::Bin::dpkg "/usr/bin/dpkg";
APT::Architecture "{self.architecture}";
APT::Architectures "{self.architecture}";
APT::Install-Recommends "false";
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::Retries "3";
''')
        self._apt_get(suites, ["-q", "update"], "the lists of packages")

    def resolve(self, suites, packages, release=None):
        """The newest versions of packages and of all that they depend on: {name: version}."""
        release = ["-t", release] if release else []
        plan = self._apt_get(suites, ["-s", *release, "install", *packages], packages[0])
        return dict(re.findall(r"^Inst (\S+) \((\S+) ", plan, re.M))

    def download(self, suites, versions, folder):
        """Downloads packages of exactly these versions. Returns {name: file}."""
        command = ["download", *(f"{name}={version}" for name, version in versions.items())]
        # On a terminal apt shows how far it is.
        shown = {"stdout": sys.stderr} if sys.stderr.isatty() else {}
        self._apt_get(suites, command, next(iter(versions)), cwd=folder, **shown)
        return {file.split("_")[0]: os.path.join(folder, file)
                for file in os.listdir(folder) if file.endswith(".deb")}

    def _apt_get(self, suites, arguments, what, **options):
        """Runs apt-get for some of the suites."""
        with tempfile.NamedTemporaryFile("w", suffix=".list") as sources:
            for suite in suites:
                with open(os.path.join(self.folder, "sources", suite), encoding="ascii") as file:
                    sources.write(file.read())
            sources.flush()
            command = ["apt-get", "-o", "Dir::Etc::SourceList=" + sources.name, *arguments]
            try:
                return run(command, what, env=self.environment, **options)
            except Missing as error:
                raise Missing(f"{error}; is the mirror of this machine reached, and does it have "
                              f"{', '.join(suites)}?") from error

    def _write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="ascii") as file:
            file.write(text)


def unpack(package, root):
    """Unpacks a package's files below `root`."""
    run(["dpkg-deb", "-x", package, root], os.path.basename(package))
