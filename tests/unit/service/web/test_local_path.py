from __future__ import annotations

import pytest

from service.web.sign_in import local_path


@pytest.mark.parametrize("ours", ["/", "/studies/1.2.3", "/quality?by=station&from=2026-01-01", "/#state=held"])
def test_a_path_of_ours_is_gone_to(ours: str) -> None:
    assert local_path(ours) == ours


@pytest.mark.parametrize(
    "elsewhere",
    [
        "", "https://evil.example/", "//evil.example", "///evil.example", "/\\evil.example", "/\t/evil.example", "/\n/evil.example",
        "javascript:alert(1)", "\\\\evil", "/a\\..\\evil", "evil", "http:/x", " /x", "/sign-in", "/sign-out", "http://[x",
    ],
)  # fmt: skip
def test_whatever_leads_elsewhere_leads_to_the_worklist(elsewhere: str) -> None:
    assert local_path(elsewhere) == "/"
