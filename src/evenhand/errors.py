"""Everything Evenhand raises on purpose.

EvenhandError                   the command line prints it and leaves with its exit code
├── InputError(ValueError)      bad argument, config or file            .where              422
│   └── InvalidInputs           several of them, found together         .problems           422
├── NotFound(LookupError)       no such run, unit or model              .kind .id           404
├── Conflict                    id taken, run busy, schema too new      .id                 409
├── Denied                      no right to do this, or not signed in                  401, 403
├── Gone                        it was there, and its time is over      .id                 410
├── TooMany                     a limit is reached; later it may go     .retry_after_s      429
├── SubjectError                a model cannot be used at all           .model              502
├── StorageError                the disk or database refuses            .where              507
└── StatsError(ValueError)      the data do not determine the answer                        422
    ├── NotIdentified           .groups
    └── DidNotConverge          .iterations .last_change

A message says what was wrong, the value, and what to do. The class builds it from its data.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "Conflict",
    "Denied",
    "DidNotConverge",
    "EvenhandError",
    "Gone",
    "InputError",
    "InvalidInputs",
    "NotFound",
    "NotIdentified",
    "StatsError",
    "StorageError",
    "SubjectError",
    "TooMany",
]


class EvenhandError(Exception):
    """The root: a person can read it and act on it."""

    status: int = 500
    exit_code: int = 2

    @property
    def where(self) -> str | None:
        """The file, field or address that the error speaks of, when there is one."""
        return None


class InputError(EvenhandError, ValueError):
    """A bad argument, config or file; ``where`` names it (``file.yaml: path.to.field``)."""

    status = 422

    def __init__(self, message: str, *, where: str | None = None) -> None:
        super().__init__(f"{where}: {message}" if where else message)
        self.detail = message
        self._where = where

    @property
    def where(self) -> str | None:
        return self._where


class InvalidInputs(InputError):
    """Several input errors, reported together so that one round of mending is enough."""

    def __init__(self, problems: Sequence[InputError], *, undone: str = "asked") -> None:
        self.problems = tuple(problems)
        lines = "\n".join(f"  - {problem}" for problem in self.problems)
        noun = "problem" if len(self.problems) == 1 else "problems"
        super().__init__(f"{len(self.problems)} {noun} found, nothing was {undone}:\n{lines}")


class NotFound(EvenhandError, LookupError):
    """No such run, unit, model or file."""

    status = 404

    def __init__(self, kind: str, id: str, *, hint: str = "") -> None:
        super().__init__(f"no {kind} {id!r}" + (f"; {hint}" if hint else ""))
        self.kind = kind
        self.id = id

    @property
    def where(self) -> str | None:
        return self.id


class _OfOne(EvenhandError):
    """Speaks of one thing, by its id."""

    def __init__(self, message: str, *, id: str) -> None:
        super().__init__(message)
        self.id = id

    @property
    def where(self) -> str | None:
        return self.id


class Conflict(_OfOne):
    """The id is taken, the run is busy, or the schema is newer than this code."""

    status = 409


class Denied(EvenhandError):
    """No right to do this: 401 where signing in would help, 403 where it would not."""

    def __init__(self, message: str, *, signed_in: bool = False) -> None:
        super().__init__(message)
        self.status = 403 if signed_in else 401


class Gone(_OfOne):
    """It was there, and its time is over."""

    status = 410


class TooMany(EvenhandError):
    """A limit is reached; ``retry_after_s`` says when to come back."""

    status = 429

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class SubjectError(EvenhandError):
    """No request to this model can work: bad key, unknown model, no server."""

    status = 502

    def __init__(self, message: str, *, model: str) -> None:
        super().__init__(f"{model}: {message}")
        self.model = model

    @property
    def where(self) -> str | None:
        return self.model


class StorageError(EvenhandError):
    """The disk is full, the workspace is read-only, or the database refuses."""

    status = 507

    def __init__(self, message: str, *, where: str | None = None) -> None:
        super().__init__(f"{where}: {message}" if where else message)
        self._where = where

    @property
    def where(self) -> str | None:
        return self._where


class StatsError(EvenhandError, ValueError):
    """The data do not determine the answer."""

    status = 422


class NotIdentified(StatsError):
    """No finite estimate exists; ``groups`` are the parts that nothing connects."""

    def __init__(self, groups: Sequence[Sequence[int]], *, hint: str = "") -> None:
        self.groups = [list(group) for group in groups]
        super().__init__(
            f"the data split into {len(self.groups)} unconnected groups, {self.groups}"
            + (f"; {hint}" if hint else "")
        )


class DidNotConverge(StatsError):
    """An iteration stopped before it reached its tolerance."""

    def __init__(self, what: str, *, iterations: int, last_change: float) -> None:
        self.iterations = iterations
        self.last_change = last_change
        super().__init__(
            f"{what} did not converge in {iterations} iterations (last change {last_change:.3g}); "
            "check for separated or collinear columns"
        )
