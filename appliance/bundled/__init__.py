"""Files that ship inside the wheel: links to the project's `scenarios/` and `reports/templates/` folders."""

from importlib.resources import files
from importlib.resources.abc import Traversable

SCENARIOS: Traversable = files(__name__) / "scenarios"
TEMPLATES: Traversable = files(__name__) / "templates"
