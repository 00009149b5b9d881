"""The application: routes, each a few lines, on a `Service`."""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.security import HTTPBearer
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse

from manylabel.labels import did_you_mean
from manylabel.model import Model
from manylabel.web import counters, schema
from manylabel.web.body import Upload, kind_of, read_files, read_json
from manylabel.web.counters import Counters
from manylabel.web.desk import SHARED, Desk
from manylabel.web.desk import routes as desk_routes
from manylabel.web.fetch import Allowance, fetch
from manylabel.web.hall import Hall
from manylabel.web.refusal import Refusal, full
from manylabel.web.schema import problems, told_of
from manylabel.web.service import Service
from manylabel.web.settings import Settings

PAGES = Path(__file__).parent / "pages"
ABOUT = "A multi-label image classifier: photographs in, labels with probabilities and decisions out."
COMING = (403, 408, 413, 415, 422, 503)
MOST_FETCHING = 4


async def only_known(request: Request) -> None:
    """Refuse a query parameter that the route does not have: a typo would be passed over in silence."""
    known = [parameter.alias for parameter in request.scope["route"].dependant.query_params]
    for name in request.query_params:
        if name not in known:
            raise Refusal(422, "parameter", f"there is no parameter {name[:80]!r}.{did_you_mean(name[:80], known)}")


routes = APIRouter(dependencies=[Depends(only_known)])
open_routes = APIRouter()


def make_app(model: Model | None, settings: Settings, desk: Desk | None = None) -> FastAPI:
    """The application that serves `model`; its workers run between startup and shutdown.

    Arguments:
        model: or None, where only what lies on the desk is shown.
        settings: limits and names.
        desk: findings to review and labels to browse.

    Raises ManylabelError where the review file is not one.
    """
    counted, desk = Counters(), desk or Desk()
    service = None if model is None else Service(model, settings, counted)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        with nullcontext() if service is None else service.running():
            yield

    app = FastAPI(title="manylabel", version="1", description=ABOUT, docs_url=None, redoc_url=None, lifespan=lifespan,
                  redirect_slashes=False)  # fmt: skip
    app.state.service, app.state.desk = service, desk
    app.state.pages = {**page_files(PAGES), **SHARED}
    if model is None:
        app.state.pages["index.html"] = PAGES / ("review.html" if desk.reviewing else "browse.html")
    app.include_router(open_routes)
    guarded: Any = [Depends(HTTPBearer(auto_error=False))] if settings.token else []  # told only; the door checks
    if model is not None:
        app.include_router(routes, dependencies=guarded)
    app.include_router(desk_routes(model, settings, desk), dependencies=[Depends(only_known), *guarded])
    app.add_exception_handler(RequestValidationError, _wrong_parameter)
    app.add_exception_handler(HTTPException, _no_such_route)
    app.add_middleware(Hall, settings=settings, counters=counted)
    return app


def the_service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


@routes.post(
    "/predict",
    responses={200: {"model": schema.Answer}, **problems(*COMING, 504)},
    openapi_extra={"requestBody": {"required": True, "content": {
        **schema.body("files", many=True), "application/json": {"schema": schema.URLS}}}},
)  # fmt: skip
async def predict(
    request: Request,
    min_score: Annotated[float, Query(ge=0, le=1, description="Leave out labels whose probability is lower.")] = 0.0,
    max_labels: Annotated[int | None, Query(ge=1, description="Name at most so many.")] = None,
    guarantee: Annotated[str | None, Query(description="Thresholds that guarantee so much: recall=0.9")] = None,
) -> Response:
    """Name what is in images; one that cannot be read is an entry with its error."""
    service = the_service(request)
    choice = service.choice(min_score, max_labels, guarantee)
    if kind_of(request) == "application/json":
        uploads = await fetched(service, await urls(request))
    else:
        uploads = await read_files(request, "files", service.settings, most=service.settings.max_files)
    request.state.images = len(uploads)
    return Response(await service.predict(uploads, choice, request), media_type="application/json")


async def fetched(service: Service, addresses: list[str]) -> list[Upload]:
    """The images at addresses, side by side; few requests at once, since their bytes come on top of all bodies."""
    if service.fetching >= MOST_FETCHING:
        raise full("images are fetched for other requests already")
    service.fetching += 1
    try:
        allowance = Allowance(service.settings.max_bytes)
        return await asyncio.gather(*(fetch(url, service.settings, allowance) for url in addresses))
    finally:
        service.fetching -= 1


async def urls(request: Request) -> list[str]:
    """The addresses of a JSON body, where fetching was switched on."""
    settings = the_service(request).settings
    if not settings.url_hosts:
        raise Refusal(403, "url", "images are not fetched from addresses; start the server with --url-host HOST")
    content = await read_json(request)
    found = content.get("urls")
    if set(content) != {"urls"} or not isinstance(found, list) or not all(isinstance(url, str) for url in found):
        raise Refusal(422, "parameter", 'expected {"urls": ["https://...", ...]}')
    if not found:
        raise Refusal(422, "parameter", "there is no address in urls")
    if len(found) > settings.max_files:
        raise Refusal(413, "files", f"at most {settings.max_files} images in a request")
    return found


@routes.post(
    "/explain",
    response_class=Response,
    responses={200: {"content": {"image/png": {"schema": schema.BINARY}}}, **problems(*COMING, 504)},
    openapi_extra={"requestBody": {"required": True, "content": schema.body("file", many=False)}},
)
async def explain(request: Request, label: Annotated[str, Query(description="A class, or an alias.")]) -> Response:
    """Where in an image the model sees a label: a PNG to lay over it, clear where it does not."""
    service = the_service(request)
    name = service.known(label)
    (upload,) = await read_files(request, "file", service.settings, most=1)
    request.state.images = 1
    return Response(await service.explain(upload, name, request), media_type="image/png")


@routes.post(
    "/feedback",
    responses={200: {"model": schema.Kept}, **problems(*COMING)},
    openapi_extra={"requestBody": {"required": True, "content": {
        "application/json": {"schema": schema.Verdict.model_json_schema()}}}},
)  # fmt: skip
async def feedback(request: Request) -> dict[str, Any]:
    """Keep a verdict on a label in the review file."""
    service = the_service(request)
    if service.review is None:
        raise Refusal(403, "review", "verdicts are not kept; start the server with --review FILE")
    try:
        verdict = schema.Verdict.model_validate(await read_json(request))
    except ValidationError as problem:
        raise Refusal(422, "parameter", told_of(problem.errors())) from None
    row = {**verdict.model_dump(), "label": service.known(verdict.label)}
    await asyncio.get_running_loop().run_in_executor(service.hands, service.review.append, row)
    return {"kept": True}


@routes.get("/labels", responses={200: {"model": list[schema.Label]}, **problems(422)})
async def labels(request: Request) -> list[dict[str, Any]]:
    """The classes, with their thresholds as probabilities."""
    return the_service(request).labels()


@routes.get("/metrics", response_class=Response,
            responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **problems(422)})  # fmt: skip
async def metrics(request: Request) -> Response:
    """Counters in the text format of Prometheus."""
    service = the_service(request)
    gauges = {"waiting_images": ("Images in the queue.", float(len(service.batcher))),
              "classes": ("Classes of the model.", float(len(service.model.classes)))}  # fmt: skip
    return Response(service.counters.text(gauges), headers={"content-type": counters.TYPE})


@open_routes.get("/health", responses={200: {"model": schema.Health}, 400: problems()[400], 500: problems()[500]})
async def health(request: Request) -> dict[str, Any]:
    """Whether the server runs; needs no token."""
    service: Service | None = request.app.state.service
    if service is None:
        return {"status": "ok", "model": "", "classes": 0, "waiting": 0}
    return {"status": "ok", "model": service.settings.name, "classes": len(service.model.classes),
            "waiting": len(service.batcher)}  # fmt: skip


def page_files(folder: Path) -> dict[str, Path]:
    """The files that may be served, by name: those there are, no links, nothing below."""
    if not folder.is_dir():
        return {}
    return {file.name: file for file in folder.iterdir() if file.is_file() and not file.is_symlink()}


@open_routes.get("/", include_in_schema=False)
async def index(request: Request) -> Response:
    """The page, where there is one."""
    return page(request, "index.html")


@open_routes.get("/review", include_in_schema=False)
async def review(request: Request) -> Response:
    """The page that reviews findings."""
    return page(request, "review.html")


@open_routes.get("/browse", include_in_schema=False)
async def browse(request: Request) -> Response:
    """The page that browses a label file."""
    return page(request, "browse.html")


@open_routes.get("/static/{name}", include_in_schema=False)
async def static(request: Request, name: str) -> Response:
    """A file of the page."""
    return page(request, name)


def page(request: Request, name: str) -> Response:
    """A file of the folder `pages`; 404 for any other name."""
    file = request.app.state.pages.get(name)
    if file is None:
        raise Refusal(404, "path", "there is no such page")
    return FileResponse(file, media_type=mimetypes.guess_type(name)[0] or "application/octet-stream")


async def _wrong_parameter(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, RequestValidationError)
    raise Refusal(422, "parameter", told_of(problem.errors())) from None


async def _no_such_route(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, HTTPException)
    raise Refusal(problem.status_code, "path", str(problem.detail), problem.headers or {}) from None
