# SPDX-License-Identifier: BSD-3-Clause
"""What QEMU can be asked while it runs a machine: QMP, lines of JSON over a socket."""

import json
import socket


class Monitor:
    """A connection to QEMU."""

    def __init__(self, path, patience):
        """
        path      the socket that QEMU listens at
        patience  how many seconds an answer or an event may take
        """
        self.events = []
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(patience)
        self.socket.connect(path)
        self.lines = self.socket.makefile("r", encoding="utf-8")
        self._read()  # its greeting
        self.ask("qmp_capabilities")

    def close(self):
        self.lines.close()
        self.socket.close()

    def ask(self, command, **arguments):
        """Has a command carried out. Returns its answer."""
        request = {"execute": command, "arguments": arguments}
        self.socket.sendall(json.dumps(request).encode() + b"\n")
        while True:
            message = self._read()
            if "error" in message:
                raise AssertionError(f"QEMU refuses {request}: {message['error']}")
            if "return" in message:
                return message["return"]
            self.events.append(message)

    def wait(self, event, **data):
        """Waits for an event with these data, and forgets it and those before it."""
        while True:
            message = self.events.pop(0) if self.events else self._read()
            if message.get("event") == event and data.items() <= message.get("data", {}).items():
                return

    def _read(self):
        try:
            line = self.lines.readline()
        except TimeoutError as error:
            raise AssertionError("QEMU has not said what was waited for") from error
        except ConnectionError:
            line = ""
        if line == "":
            raise AssertionError("QEMU has ended")
        return json.loads(line)
