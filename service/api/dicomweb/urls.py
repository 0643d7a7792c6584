"""Addresses of what DICOMweb hands out (PS3.18 section 10.1), as the client that asks can reach them."""

from __future__ import annotations

from fastapi import Request

from service.settings import Settings
from service.store.dicom_objects import StoredInstance

PREFIX = "/dicom-web"
_ANYWHERE = ("0.0.0.0", "::", "")


class Urls:
    """Absolute addresses. Behind a proxy `MAMMOTRIAGE_API_URL` says how they begin.

    Parameters
    ----------
    request
        Its Host header names our address where the API listens on every address and no setting names one.
    """

    def __init__(self, request: Request, settings: Settings) -> None:
        called = settings.api_url is None and settings.http_host in _ANYWHERE
        self.base = (str(request.base_url).rstrip("/") if called else settings.public_api_url) + PREFIX

    def study(self, study_instance_uid: str) -> str:
        return f"{self.base}/studies/{study_instance_uid}"

    def series(self, study_instance_uid: str, series_instance_uid: str) -> str:
        return f"{self.study(study_instance_uid)}/series/{series_instance_uid}"

    def instance(self, stored: StoredInstance) -> str:
        return f"{self.series(stored.study_instance_uid, stored.series_instance_uid)}/instances/{stored.sop_instance_uid}"

    def bulk_data(self, stored: StoredInstance, way: str) -> str:
        return f"{self.instance(stored)}/bulkdata/{way}"
