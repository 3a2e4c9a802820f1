"""The frame of explorable pages: nothing in the data gets out of it, and only its own script runs."""

import base64
import hashlib
import json
import re

import numpy as np
import pytest

from cnncli.views.explore.frame import packed, page

HOSTILE = "</script><script>alert(1)</script><!-- & \u2028 \ud800 <img src=x onerror=alert(2)>"


def block_of(text):
    return re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1]


def test_data_stay_data():
    text = page(HOSTILE, data={"name": HOSTILE}, scripts=())
    assert json.loads(block_of(text))["name"] == HOSTILE
    assert not set("<>&") & set(block_of(text))
    assert "<img" not in text


def test_the_policy_names_the_script_and_the_style_and_nothing_else():
    text = page("a", data={}, scripts=())
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    for tag in ("script", "style"):
        inside = re.search(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "http" not in policy


@pytest.mark.parametrize("kind", ["float32", "float16", "uint8"])
def test_arrays_are_packed_lowest_byte_first(kind):
    array = np.arange(6, dtype=kind).reshape(2, 3)
    found = packed(array)
    raw = np.frombuffer(base64.b64decode(found["data"]), np.dtype(kind).newbyteorder("<"))
    assert found["shape"] == [2, 3]
    assert np.array_equal(raw.reshape(2, 3), array)


def test_a_page_runs_in_a_browser_without_a_fault_or_a_request(opened, tmp_path):
    (tmp_path / "page.html").write_text(page(HOSTILE, data={"name": HOSTILE}, scripts=()), "utf-8", "replace")
    with opened(tmp_path / "page.html") as shown:
        assert shown.title().startswith("</script><script>")
        assert shown.evaluate("document.scripts.length") == 2
