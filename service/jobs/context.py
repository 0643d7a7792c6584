"""What a task needs: settings, file store, ledger and queues, opened once in each process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from service.destinations import Destination
from service.destinations.routing import route
from service.jobs.queues import Publisher
from service.settings import Settings
from service.store.files import FileStore
from service.store.instances import InstanceRow
from service.store.ledger import Ledger

if TYPE_CHECKING:
    from service.analyse.runner import Analyser


@dataclass
class Context:
    """Settings, file store, ledger and queues; the networks are loaded when the first image needs them.

    Parameters
    ----------
    settings, store, ledger, publisher
        As opened by `open_context`.
    """

    settings: Settings
    store: FileStore
    ledger: Ledger
    publisher: Publisher

    @cached_property
    def analyser(self) -> Analyser:
        """Both networks on the configured provider. Raises `ProviderUnavailable`, `ModelCorrupt`, `ManifestInvalid`."""
        from service.analyse.runner import Analyser  # the sweeper opens a context too and does not need ONNX Runtime

        return Analyser(
            model_dir=self.settings.model_dir,
            provider=self.settings.provider,
            allow_cpu_fallback=self.settings.allow_cpu_fallback,
            max_pixels=self.settings.max_pixels,
        )

    def route(self, images: Sequence[InstanceRow]) -> tuple[Destination, ...]:
        """The destinations that the routing rules choose for a study with these images."""
        calling_ae = images[0].calling_ae if images else ""
        return route(self.settings.rules, [image.header for image in images], calling_ae, self.settings.destinations)

    def destination(self, name: str) -> Destination | None:
        """The configured destination of this name; None if there is none."""
        return next((destination for destination in self.settings.destinations if destination.name == name), None)


def open_context(settings: Settings) -> Context:
    """Open the file store and the ledger, which must have been migrated, and prepare the queues."""
    return Context(settings, FileStore(settings.data_dir), Ledger(settings.ledger_url), Publisher(settings.redis_url))
