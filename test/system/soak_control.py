#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The control of the soak: told to spoil one byte in every 1,000th descriptor, the engine is caught.

Usage: soak_control.py SOAK

The soak must fail, name the operation, the channel, the seed and the byte, and name the same ones
again when it is run with the same seed.
"""

import os
import re
import subprocess
import sys

MISMATCH = (r'seed 7, channel 0 \([0-9a-f:.]+\), request \d+: '
            r'(copy from offset \d+|fill with 0x[0-9a-f]{16}) to offset \d+, \d+ bytes: '
            r'MISMATCH at offset \d+ of the target \(byte \d+ of the request\): '
            r'expected 0x([0-9a-f]{2}), got 0x([0-9a-f]{2})')


def soak(program, emulate):
    environment = {**os.environ, 'UDMA_EMULATE': emulate}
    command = [program, '--seconds', '20', '--seed', '7']
    return subprocess.run(command, env=environment, text=True, capture_output=True)


def main():
    said = []
    for _ in range(2):
        done = soak(sys.argv[1], '1,flip=1000')
        match = re.search(MISMATCH, done.stderr)
        print(done.stdout, done.stderr)
        if done.returncode != 1 or not match or match.group(2) == match.group(3):
            print(f'exit status {done.returncode}, and where the byte is must be on stderr')
            return 1
        said.append(match.group(0))
    if said[0] != said[1]:
        print('the same seed found another byte')
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
