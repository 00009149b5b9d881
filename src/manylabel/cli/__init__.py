"""The command line: thin, and answering --help without importing torch."""

from __future__ import annotations

import atexit
import contextlib
import gc
import io
import os
import sys
import threading
from typing import NoReturn

import typer

from manylabel.cli import (
    auditing,
    catalogue,
    comparing,
    conditioning,
    converting,
    doctoring,
    evaluating,
    explaining,
    exporting,
    making,
    predicting,
    serving,
    splitting,
    tuning,
    using,
)
from manylabel.labels import ManylabelError

app = typer.Typer(
    help="Multi-label image classification under the labels people really have.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
for command in (
    making.demo, doctoring.doctor, converting.convert, conditioning.condition, splitting.split, making.train,
    using.score, predicting.predict, explaining.explain, exporting.export, serving.serve, evaluating.evaluate,
    tuning.tune, auditing.audit, comparing.compare, catalogue.methods, catalogue.encoders, catalogue.objectives,
):  # fmt: skip
    app.command()(command)


def main() -> None:
    """Run the command line and end the process."""
    gc.set_threshold(100_000)  # imports make hundreds of thousands of objects that stay
    code = exit_code()
    if sys.modules.get("torch"):
        leave(code)
    sys.exit(code)


def leave(code: int) -> NoReturn:
    """End the process at once, after all that Python itself does first: torch takes half a second to be taken apart."""
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(code)


def exit_code() -> int:
    """The exit code of the command line; a user's mistake ends with one clear message and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of files may be no text
    try:
        return int(app(standalone_mode=False) or 0)
    except ManylabelError as error:
        typer.secho(f"error: {error}", fg="red", err=True)
    except typer.TyperException as error:  # a wrong option: typer's own words
        show = getattr(error, "show", None)
        show() if show else typer.secho(str(error), fg="red", err=True)
    except (KeyboardInterrupt, typer.Abort):
        typer.secho("interrupted; what was finished is kept", fg="yellow", err=True)
        return 130
    except BrokenPipeError:  # the reader of our output, such as `head`, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        typer.secho(f"error: {error.filename or 'a file'}: {error.strerror}", fg="red", err=True)
    return 2
