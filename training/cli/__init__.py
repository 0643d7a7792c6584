"""``python -m training``: from data to a served model. Every command is a thin call; ``--help`` of each shows examples."""

from training.cli import data, models, runs
from training.cli.entry import app

__all__ = ["app", "data", "models", "runs"]
