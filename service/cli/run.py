"""Commands that run the stack or one of its processes."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from typing import Annotated

import typer

from service.cli.console import err, out, wait_for_signal
from service.settings import Settings


def serve() -> None:
    """Run the whole stack in the foreground: embedded Redis (unless MAMMOTRIAGE_REDIS_URL is set), listener, API, worker, sweeper."""
    from service.logs import configure_logging
    from service.stack import Stack

    settings = Settings()
    configure_logging(settings.log_json)
    stop = wait_for_signal()
    with Stack(settings) as stack:
        stack.wait_until_ready()
        out.print(f"[bold]mammotriage[/] {settings.ae_title} listens for C-STORE on {settings.dicom_host}:{settings.dicom_port}")
        out.print(f"API      {settings.public_api_url}/api/v1/studies   documentation {settings.public_api_url}/docs")
        out.print(f"ready?   {settings.public_api_url}/readyz   metrics {settings.public_api_url}/metrics")
        out.print(f"broker   {stack.settings.redis_url}   data {settings.data_dir}")
        for destination in settings.destinations:
            out.print(f"results go to {destination.name}: {destination.address}")
        if not settings.destinations:
            out.print("no destination: name a MAMMOTRIAGE_DESTINATIONS_FILE to write them back")
        tell_how_to_sign_in(settings)
        out.print("Ctrl-C stops it")
        stop.wait()
        out.print("stopping")


def tell_how_to_sign_in(settings: Settings) -> None:
    """Print a warning while no user exists, or while sign-in is off."""
    from service.domain.access import Role
    from service.store.ledger import Ledger

    if settings.sign_in == "off":
        out.print("sign-in is off: every client that reaches the port may do everything", style="bold")
        return
    ledger = Ledger(settings.ledger_url)
    if settings.oidc_issuer is None and not any(user.role is Role.ADMIN and not user.disabled for user in ledger.users.all()):
        out.print("no user exists yet: mammotriage users add NAME --role admin", style="bold")
    ledger.close()


def listener() -> None:
    """Receive by C-STORE until stopped."""
    from service.jobs.queues import Publisher
    from service.logs import configure_logging
    from service.receive.accept import ReceiveContext
    from service.receive.listener import Listener
    from service.store.files import FileStore
    from service.store.ledger import Ledger

    settings = Settings()
    configure_logging(settings.log_json)
    stop = wait_for_signal()
    publish = Publisher(settings.redis_url).analyse
    part = Listener(ReceiveContext(FileStore(settings.data_dir), Ledger(settings.ledger_url), settings, publish), settings)
    part.start()
    stop.wait()
    part.stop()


def api() -> None:
    """Answer HTTP until stopped."""
    from service.health import make_probe
    from service.jobs.context import open_context
    from service.logs import configure_logging
    from service.web.server import SiteServer
    from service.web.site import create_site

    settings = Settings()
    configure_logging(settings.log_json)
    context = open_context(settings)
    site = create_site(context, make_probe(settings, context.ledger))
    server = SiteServer(
        site,
        host=settings.http_host,
        port=settings.http_port,
        ssl_certfile=settings.http_tls_cert,
        ssl_keyfile=settings.http_tls_key,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=10,
        # Uvicorn's default trusts X-Forwarded-For of every process on this machine.
        forwarded_allow_ips=list(settings.trusted_proxies),
    )
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        raise typer.Exit(3)


def worker() -> None:
    """Analyse, conclude and deliver what the queues name, until stopped."""
    from service.jobs.worker import run_worker
    from service.logs import configure_logging

    settings = Settings()
    configure_logging(settings.log_json)
    run_worker(settings)


def sweeper() -> None:
    """Requeue unfinished work of the ledger, until stopped."""
    from service.jobs.context import open_context
    from service.jobs.sweeper import run_sweeper
    from service.logs import configure_logging

    settings = Settings()
    configure_logging(settings.log_json)
    run_sweeper(open_context(settings), wait_for_signal())


def migrate() -> None:
    """Bring the ledger's database to this version's schema; does nothing if it is current."""
    from service.store.migrate import migrate as bring_up

    settings = Settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    bring_up(settings.ledger_url)


def health(part: Annotated[str, typer.Argument(help="listener, api, worker or sweeper")]) -> None:
    """Check whether one process of the stack works (exit status 0) or not (1): for container health checks."""
    from service.errors import PartNotReady
    from service.health import check_part

    try:
        check_part(part, Settings())
    except PartNotReady as error:
        err.print(str(error), markup=False)
        raise typer.Exit(1) from None


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="leave the stack serving at the end, until Ctrl-C")] = False,
    folder: Annotated[Path, typer.Option("--output", help="where results are written; emptied first")] = Path("demo-output"),
) -> None:
    """Send two real four-view cases through the whole stack on loopback and show what comes back."""
    from service.demo.run import run_demo
    from service.logs import configure_logging

    configure_logging(as_json=False, level=logging.WARNING)
    run_demo(folder, (lambda: wait_for_signal().wait()) if keep else None, out)
