"""``llama-data browse``: read around in a run, in a small web page on this machine."""

from __future__ import annotations

import sys
from typing import Annotated

import typer


def browse(
    run: Annotated[str, typer.Argument(help="Folder or URL of the run.")],
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port on 127.0.0.1; 0: any free one.")] = 8765,
    no_open: Annotated[bool, typer.Option("--no-open", help="Print the address, open no browser.")] = False,
) -> None:
    """Show documents, rejected texts and training rows in a web page: filter, search, compare raw and cleaned text.

    The page is served on 127.0.0.1 alone, to whoever has the address that is printed. Ctrl-C ends it.
    """
    from llama_data.pipeline.browse.server import LOOPBACK, Server
    from llama_data.pipeline.browse.views import Views
    from llama_data.pipeline.core.stopping import Stopped

    with Server(Views(run), port) as server:
        typer.echo(f"{run} is shown at")
        typer.echo(f"  {server.address}")
        if not _has_screen():
            own = f"{server.server_port}:{LOOPBACK}:{server.server_port}"
            typer.echo(f"from another machine: ssh -L {own} THIS_HOST, and open the same address there")
        typer.echo("Ctrl-C ends it")
        sys.stdout.flush()
        if not no_open and _has_screen():
            import webbrowser

            webbrowser.open(server.address)
        try:
            server.serve_forever()
        except (KeyboardInterrupt, Stopped):
            typer.echo("ended")


def _has_screen() -> bool:
    """False where a browser would open on nobody's screen, or in the terminal itself."""
    import os

    if "SSH_CONNECTION" in os.environ:
        return False
    return sys.platform in ("darwin", "win32") or bool({"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ))
