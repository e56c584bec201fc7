"""A function that is more than one file: a bundle file (docs/protocol.md), unpacked as it comes."""

import json
import os
import sys

_LONGEST_MANIFEST = 64 * 1024 * 1024


class Unpacker:
    def __init__(self, folder):
        self._folder = folder
        #: What came of the manifest's line; None once it is read.
        self._line = bytearray()
        self._files = iter(())
        self._descriptor = None
        self._missing = 0
        self._made = set()

    def feed(self, data):
        """Raises OSError when a file can't be made, ValueError when this is no bundle file."""
        if self._line is not None:
            line, end, data = data.partition(b"\n")
            self._line += line
            if not end:
                if len(self._line) > _LONGEST_MANIFEST:
                    raise ValueError("the bundle has no manifest")
                return
            os.makedirs(self._folder, exist_ok=True)
            self._files = iter(json.loads(self._line.decode())["files"])
            self._line = None
            self._next()
        view = memoryview(data)
        while view and self._descriptor is not None:
            written = os.write(self._descriptor, view[: self._missing])
            view = view[written:]
            self._missing -= written
            if not self._missing:
                os.close(self._descriptor)
                self._next()
        if view:
            raise ValueError("the bundle is longer than its manifest says")

    def end(self):
        if self._line is not None or self._descriptor is not None:
            raise ValueError("the bundle is shorter than its manifest says")

    def _next(self):
        """Opens the next file that holds something, and makes the empty ones before it."""
        self._descriptor = None
        for file in self._files:
            path = file["path"]
            folder = path.rpartition("/")[0]
            if folder and folder not in self._made:
                os.makedirs(os.path.join(self._folder, folder), exist_ok=True)
                self._made.add(folder)
            mode = 0o555 if file["executable"] else 0o444
            descriptor = os.open(os.path.join(self._folder, path), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
            if file["size"]:
                self._descriptor = descriptor
                self._missing = file["size"]
                return
            os.close(descriptor)


def enter(folder, entry):
    """Makes the bundle's modules importable, the entry's neighbours among them, and its files those of the working folder."""
    beside = os.path.join(folder, entry).rpartition("/")[0]
    sys.path[:0] = [folder] if beside == folder else [folder, beside]
    os.chdir(folder)


def module_name(entry):
    """Under which the entry is imported by others, or None where it can be by no name that is free."""
    name = entry[:-3].replace("/", ".") if entry.endswith(".py") else ""
    if not all(part.isidentifier() for part in name.split(".")) or name in sys.modules or name == "__main__":
        return None
    return name
