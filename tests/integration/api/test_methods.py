"""HEAD of every route that GET answers."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from service.api.auth import list_routes
from tests.support.api_server import Served, serve_api
from tests.support.dicomweb_viewer import path_of
from tests.support.sample_findings import full_field


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve_api(tmp_path_factory.mktemp("methods")) as served:
        yield served


def test_head_answers_as_get_without_a_body(api: Served) -> None:
    image = full_field()
    api.post(image)
    uids = {"{study_instance_uid}": image.StudyInstanceUID, "{series_instance_uid}": image.SeriesInstanceUID}
    uids["{sop_instance_uid}"] = image.SOPInstanceUID
    paths = [each.path for each in list_routes(api.site) if each.method == "GET" and "oidc" not in each.path]
    assert len(paths) > 50
    for path in paths:
        for name, uid in uids.items():
            path = path.replace(name, str(uid))
        path = re.sub(r"{[^}]*}", "1", path)
        with api.client.stream("GET", path) as wanted:
            head = api.client.head(path)
            assert (head.status_code, head.content) == (wanted.status_code, b""), path
            assert head.headers.get("content-type") == wanted.headers.get("content-type") or "multipart" in wanted.headers["content-type"]


def test_probes_can_ask_with_head(api: Served) -> None:
    with api.client_with() as anybody:
        assert anybody.head("/healthz").status_code == anybody.head("/readyz").status_code == 200
        assert anybody.head("/dicom-web/studies").status_code == 401
        assert anybody.head("/static/js/api.js").status_code == 200
    api.broken["broker"] = "ConnectionError"
    assert api.client.head("/readyz").status_code == 503
    api.broken["broker"] = None


def test_head_changes_nothing_that_only_post_changes(api: Served) -> None:
    assert api.client.head("/sign-out").status_code == 405
    assert api.client.head("/api/v1/studies/search").status_code in (404, 405, 422)


def test_a_stream_ends_with_its_head(api: Served) -> None:
    assert api.client.head("/api/v1/events").status_code == 200
    image = full_field()
    api.post(image)
    assert api.client.head(path_of(image)).headers["content-type"].startswith("multipart/related")
    assert api.client.get("/healthz").status_code == 200
