"""Failures as answers: a status and `{"error": {"message", "where", "hint"}}`."""

from __future__ import annotations

from typing import Any

from eie.errors import (
    BadInputError,
    EieError,
    MissingModelError,
    ResourceError,
    UsageError,
    explained,
)

BUG = 500

_STATUS: dict[type[EieError], int] = {
    UsageError: 400,
    BadInputError: 422,
    MissingModelError: 424,
    ResourceError: 507,
}


class RefusedError(UsageError):
    """A request that is refused with a status of its own."""

    def __init__(
        self, status: int, message: str, *, where: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, where=where, hint=hint)
        self.status = status


def status_of(error: BaseException) -> int:
    """The HTTP status of anything that the library may raise."""
    if isinstance(error, RefusedError):
        return error.status
    for kind, status in _STATUS.items():
        if isinstance(error, kind):
            return status
    _, code = explained(error)
    by_code = {kind.exit_code: status for kind, status in _STATUS.items()}
    return by_code.get(code, BUG)


def told(error: BaseException) -> dict[str, str | None]:
    """Message, place and hint of anything that the library may raise."""
    if isinstance(error, EieError):
        return {"message": error.message, "where": error.where, "hint": error.hint}
    return {"message": explained(error)[0], "where": None, "hint": None}


def body_of(error: BaseException) -> dict[str, Any]:
    """The body of the answer."""
    return {"error": told(error)}
