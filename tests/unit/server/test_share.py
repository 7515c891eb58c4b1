"""The page as one file: what it has of the recording, packed."""

import base64
import json
import re
import zlib
from pathlib import Path

from tests.support.models import model_of
from tests.support.stories.shapes import SHAPES
from viewer.server.share import render_html


def test_answers_are_packed_into_the_page(tmp_path: Path) -> None:
    page = render_html(model_of(tmp_path, SHAPES["pool"](400))).decode()
    match = re.search(r"globalThis\.tracerData = (.*);</script>", page)
    assert match is not None
    data = json.loads(match[1])
    unpacked = zlib.decompress(base64.b64decode(data["answers"]))
    answers = json.loads(unpacked)
    assert {"meta", "report", "why", "waits"} <= set(answers)
    assert any(key.startswith("slice?") for key in answers)
    assert len(data["answers"]) * 4 < len(unpacked)
