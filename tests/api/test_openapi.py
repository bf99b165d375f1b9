"""The committed OpenAPI document is the one that the API gives. `make` it anew: python -m tests.api.test_openapi."""

from __future__ import annotations

import json
from pathlib import Path

import trio

from tests.api.scene import scene

COMMITTED = Path(__file__).parents[2] / "docs" / "openapi.json"


async def document() -> str:
    async with scene() as here:
        return json.dumps((await here.http.get("/openapi.json")).json(), indent=1, sort_keys=True) + "\n"


async def test_the_committed_document_is_the_api():
    assert COMMITTED.read_text(encoding="utf-8") == await document()


async def test_every_reference_leads_somewhere():
    text = await document()
    schemas = json.loads(text)["components"]["schemas"]
    wanted = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert wanted <= schemas.keys()
    assert "HTTPValidationError" not in schemas


async def test_values_with_units_are_strings():
    schemas = json.loads(await document())["components"]["schemas"]
    refuse = schemas["SwitchoverRequest"]["properties"]["refuse"]
    assert (refuse["type"], refuse["default"]) == ("string", "40s")


if __name__ == "__main__":
    COMMITTED.write_text(trio.run(document), encoding="utf-8")
