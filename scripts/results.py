#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Counts what a run of meson's tests has written down: results.py DIR/meson-logs/testlog.json

The first line is "PASSED FAILED SKIPPED", each case of a test that prints cases (TAP) counted by
itself. What follows says what failed, and the end of what it printed."""
import json
import re
import sys

CASE = re.compile(r"^(ok|not ok) \d+(.*)$", re.MULTILINE)
LINES = 30


def cases(test):
    """(passed, [what failed], skipped)"""
    passed, failed, skipped = 0, [], 0
    for verdict, rest in CASE.findall(test.get("stdout", "")):
        if re.search(r"# SKIP\b", rest, re.IGNORECASE):
            skipped += 1
        elif verdict == "ok":
            passed += 1
        else:
            failed.append(verdict + rest)
    if test["result"] not in ("OK", "SKIP") and not failed:
        failed.append("{result}, exit code {returncode}, after {duration:.1f} s".format(**test))
    elif not (passed or failed or skipped):
        passed, skipped = (0, 1) if test["result"] == "SKIP" else (1, 0)
    return passed, failed, skipped


def main():
    passed, failed, skipped, report = 0, 0, 0, []
    for line in open(sys.argv[1], encoding="utf-8"):
        test = json.loads(line)
        good, bad, left = cases(test)
        passed, failed, skipped = passed + good, failed + len(bad), skipped + left
        report += ["%s: %s" % (test["name"], what) for what in bad]
        if bad:
            # Cases that passed say nothing here.
            said = [one for one in test.get("stdout", "").splitlines() if not one.startswith("ok ")]
            said = said[-LINES:] + test.get("stderr", "").splitlines()[-LINES:]
            report += ["    " + one for one in said]
    print(passed, failed, skipped)
    print("\n".join(report))


main()
