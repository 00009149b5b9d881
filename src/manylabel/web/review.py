"""Routes of the review page: findings, verdicts, undo, and the corrected labels."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import Field, ValidationError

from manylabel.labels import ManylabelError
from manylabel.web.body import read_json
from manylabel.web.refusal import Refusal
from manylabel.web.reviewing import Reviewing, Sift
from manylabel.web.schema import Strict, problems, told_of

MOST = 200


class Judged(Strict):
    """A verdict on a finding, counted from 0; "" takes any verdict away."""

    number: Annotated[int, Field(ge=0)]
    verdict: Literal["accept", "reject", "unknown", "skip", ""]


BODY = {"requestBody": {"required": True, "content": {"application/json": {"schema": Judged.model_json_schema()}}}}
Words = Annotated[str, Query(max_length=1024)]
Seen = Literal["", "open", "accept", "reject", "unknown", "skip"]


def routes(reviewing: Reviewing) -> APIRouter:
    """The routes below /review."""
    router = APIRouter(prefix="/review")

    @router.get("/findings", responses=problems(422))
    async def found(
        label: Words = "", category: Words = "", severity: Words = "", seen: Seen = "", search: Words = "",
        after: Annotated[int, Query(ge=-1, description="Only findings beyond this number.")] = -1,
        count: Annotated[int, Query(ge=1, le=MOST)] = 50,
    ) -> dict[str, Any]:  # fmt: skip
        """Findings that match, in their order, and how many there are; those before `after` are not named again."""
        sift = Sift(label, category, severity, seen, search)
        return await asyncio.to_thread(listed, reviewing, sift, after, count)

    @router.get("/finding/{number}", responses=problems(404, 422))
    async def one(number: int) -> dict[str, Any]:
        """One finding."""
        check(reviewing, number)
        return await asyncio.to_thread(reviewing.told, number)

    @router.get("/choices", responses=problems(422))
    async def choices() -> dict[str, Any]:
        """What findings can be sifted by, and where what is saved goes."""
        found = await asyncio.to_thread(reviewing.choices)
        return {**found, "findings": reviewing.path.name, "labels": reviewing.dataset.source.name,
                "out": reviewing.out.name, "total": len(reviewing), "counts": reviewing.counts()}  # fmt: skip

    @router.post("/verdict", responses=problems(403, 404, 408, 413, 415, 422), openapi_extra=BODY)
    async def verdict(request: Request) -> dict[str, Any]:
        """Keep a verdict; it is on the disk when this answers."""
        try:
            given = Judged.model_validate(await read_json(request))
        except ValidationError as problem:
            raise Refusal(422, "parameter", told_of(problem.errors())) from None
        check(reviewing, given.number)
        await asyncio.to_thread(reviewing.judge, given.number, given.verdict)
        return {"number": given.number, "verdict": given.verdict, "counts": reviewing.counts()}

    @router.post("/undo", responses=problems(403, 404, 409, 422))
    async def undo(
        finding: Annotated[int | None, Query(description="Only the last verdict on this one.")] = None,
    ) -> dict[str, Any]:
        """Take the last verdict back, whoever gave it; or the last on a finding."""
        if finding is not None:
            check(reviewing, finding)
        number = await asyncio.to_thread(reviewing.undo, finding)
        if number is None:
            raise Refusal(409, "undo", "there is no verdict left to take back")
        return {"number": number, "verdict": reviewing.verdicts[number], "counts": reviewing.counts()}

    @router.post("/save", responses=problems(403, 409))
    async def save() -> dict[str, Any]:
        """Write the corrected labels, what was changed, and the findings with their verdicts; never the original."""
        try:
            return {"lines": await asyncio.to_thread(reviewing.save)}
        except ManylabelError as problem:
            raise Refusal(409, "save", str(problem)) from None
        except OSError as problem:
            raise Refusal(409, "save", f"cannot write {reviewing.out.name}: {problem.strerror}") from None

    return router


def listed(reviewing: Reviewing, sift: Sift, after: int, count: int) -> dict[str, Any]:
    """The answer of /review/findings."""
    matching = list(reviewing.matching(sift))
    wanted = [number for number in matching if number > after][:count]
    return {"matching": len(matching), "counts": reviewing.counts(), "findings": [reviewing.told(n) for n in wanted]}


def check(reviewing: Reviewing, number: int) -> None:
    """404 for a finding there is not."""
    if not 0 <= number < len(reviewing):
        raise Refusal(404, "finding", f"there is no finding {number}: they are 0 to {len(reviewing) - 1}")
