"""Fixtures of the data tests."""

import pytest
from data_helpers import Server, picture, write_image


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    running = Server()
    yield running
    running.close()


@pytest.fixture
def class_folder(tmp_path):
    """Three classes of six, five and four colour images of 12x12."""
    root = tmp_path / "pets"
    for label, (name, count) in enumerate((("ant", 6), ("bee", 5), ("cat", 4))):
        for i in range(count):
            write_image(root / name / f"{i}.png", picture(100 * label + i))
    return root
