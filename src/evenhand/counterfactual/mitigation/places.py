"""Files that rows name by paths of another machine, found below a folder and nowhere else."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from evenhand.errors import InputError

__all__ = ["LONGEST", "Below"]

LONGEST = 4096
"""Characters of a path, as most systems allow."""


class Below:
    """Finds files below one folder by paths whose beginning belongs elsewhere.

    A path is tried whole, then without its first part, and so on, until a file is there:
    ``/home/somebody/run/stage1_outputs/m/a.txt`` is found as ``stage1_outputs/m/a.txt``, or as
    ``m/a.txt``, whichever part of it is below the folder. What has worked for one file of a
    folder is tried first for the next.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._real = root.resolve()
        self._folders: dict[tuple[str, ...], Path] = {}

    def find(self, path: str, *, where: str) -> Path | None:
        """The file, or None where there is none below the folder.

        Raises:
            InputError: the path climbs out of its folder or is no path, or a link leads out of the root.
        """
        if len(path) > LONGEST or "\0" in path:
            raise InputError("a path is too long, or has a NUL in it", where=where)
        parts = PurePosixPath(path.replace("\\", "/")).parts
        if ".." in parts or not parts:
            raise InputError(f"the path {path!r} leaves its folder", where=where)
        folder, name = parts[:-1], parts[-1]
        known = self._folders.get(folder)
        if known is not None:
            return self._inside(known / name, path, where)
        for skip in range(len(parts)):
            # An absolute path, or one with a drive, would replace the root instead of joining it.
            if skip == 0 and (parts[0].startswith("/") or ":" in parts[0]):
                continue
            found = self._inside(self.root.joinpath(*parts[skip:]), path, where)
            if found is not None:
                self._folders[folder] = found.parent
                return found
        return None

    def _inside(self, candidate: Path, path: str, where: str) -> Path | None:
        try:
            if not candidate.is_file():
                return None
        except OSError:  # a name longer than the disk allows is no file either
            return None
        if not candidate.resolve().is_relative_to(self._real):
            raise InputError(f"the path {path!r} leads out of {self.root}", where=where)
        return candidate
