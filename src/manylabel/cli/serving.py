"""`serve`: a trained model behind HTTP."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from manylabel.cli.reading import read, takes_reading
from manylabel.labels import ManylabelError

if TYPE_CHECKING:
    from manylabel.web.desk import Desk

MIB = 1 << 20


@takes_reading
def serve(
    reading: dict[str, Any],
    model: Annotated[
        str | None,
        typer.Argument(help="Run folder, model folder or .onnx file; may be left out with --data.", metavar="[MODEL]"),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen at; 0.0.0.0 for all of this machine.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.", min=0, max=65535)] = 8000,
    token: Annotated[
        str | None, typer.Option(envvar="MANYLABEL_TOKEN", help="What requests must carry; better as a variable.")
    ] = None,
    no_token: Annotated[bool, typer.Option("--no-token", help="Listen beyond this machine without a token.")] = False,
    name: Annotated[list[str] | None, typer.Option(help="A further host name by which the server is called.")] = None,
    url_host: Annotated[list[str] | None, typer.Option(help="Fetch images from this host (NAME or NAME:PORT).")] = None,
    review: Annotated[Path | None, typer.Option(help="CSV that verdicts are appended to.")] = None,
    data: Annotated[
        str | None, typer.Option("--data", "--labels", help="Label file or folder to browse, and to review.")
    ] = None,
    findings: Annotated[Path | None, typer.Option(help="With --data: findings of `audit` to review.")] = None,
    corrected: Annotated[
        Path | None, typer.Option(help="With --findings: corrected labels to write; by default beside the findings.")
    ] = None,
    open_images: Annotated[
        bool, typer.Option("--open-images", help="With --data: doctor opens every image too, while the page is up.")
    ] = False,
    max_files: Annotated[int, typer.Option(help="Images in a request.")] = 32,
    max_mib: Annotated[int, typer.Option(help="MiB of a request.")] = 64,
    max_image_mib: Annotated[int, typer.Option(help="MiB of an image file.")] = 20,
    max_pixels: Annotated[int, typer.Option(help="Pixels of an image, width times height.")] = 50_000_000,
    max_waiting: Annotated[int, typer.Option(help="Images in the queue; beyond it 503.")] = 256,
    timeout: Annotated[float, typer.Option(help="Seconds that a request may take; beyond it 504.")] = 30.0,
) -> None:
    """Serve a model over HTTP: /predict, /explain, /labels, /health, /metrics, /feedback; see docs/serve.md.

    And pages for a browser: photographs and what the model says of them, the findings of an audit to review, a label
    file to browse; see docs/pages.md.

    Example: `manylabel serve runs/x --review verdicts.csv`
    """
    try:
        from manylabel.web.app import make_app
        from manylabel.web.run import run
    except ImportError as missing:
        raise ManylabelError(f"serve needs {missing.name}: pip install 'manylabel[serve]'") from None
    from manylabel.model import load
    from manylabel.web.settings import Settings

    if model is None and data is None:
        raise ManylabelError("give a MODEL to serve, or --data LABELS to browse, or --findings FILE --data LABELS")
    settings = Settings(
        name=Path(model or "manylabel").resolve().name, host=host, port=port, token=token, no_token=no_token,
        names=tuple(name or ()), url_hosts=tuple(url_host or ()), review=review, max_files=max_files,
        max_bytes=max_mib * MIB, max_image_bytes=max_image_mib * MIB, max_pixels=max_pixels, max_waiting=max_waiting,
        max_held=max(8 * max_mib, 512) * MIB, timeout=timeout,
    )  # fmt: skip
    desk = make_desk(data, reading, findings, corrected, open_images=open_images)
    for one in (signal.SIGINT, signal.SIGTERM):  # both end it well, also where a script started it with SIGINT ignored
        signal.signal(one, signal.default_int_handler)
    try:
        run(make_app(None if model is None else load(model), settings, desk), settings)
    except KeyboardInterrupt:
        typer.echo("stopped; all requests were answered", err=True)


def make_desk(
    data: str | None, reading: dict[str, Any], findings: Path | None, corrected: Path | None, *, open_images: bool
) -> Desk:
    """What the pages show beside the model; ManylabelError where options do not go together."""
    from manylabel.web.desk import Desk
    from manylabel.web.photos import Photos, roots_of
    from manylabel.web.reviewing import Reviewing
    from manylabel.web.shelf import Shelf

    for name, given, wanted, there in (
        ("--findings", findings, "--data LABELS, the labels that were audited", data),
        ("--corrected", corrected, "--findings FILE", findings),
        ("--open-images", open_images or None, "--data LABELS", data),
        ("the options that say how labels are read", reading or None, "--data LABELS", data),
    ):
        if given is not None and there is None:
            raise ManylabelError(f"{name} needs {wanted}")
    if data is None:
        return Desk()
    dataset = read(data, reading)
    reviewing = None
    if findings is not None:
        reviewing = Reviewing(findings, dataset, unlisted=reading.get("unlisted", "absent"), out=corrected)
    photos = Photos(dataset.paths, roots_of(dataset, reading.get("root")))
    return Desk(reviewing, Shelf(dataset, reviewing, open_images=open_images), photos)
