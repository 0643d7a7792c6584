"""Schemas of the health and readiness probes."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from service.api.http.params import example


class Health(BaseModel):
    model_config = example({"status": "alive", "version": "0.1.0"})

    status: Literal["alive"]
    version: str


class Readiness(BaseModel):
    model_config = example({"ready": False, "checks": {"ledger": "ok", "broker": "connection refused", "listener": "ok"}})

    ready: bool
    checks: dict[str, str] = Field(description="ok, or what is broken")
