"""Published files are fetched whole or not at all, checked, noted, and not fetched twice."""

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from stance.config import compose_settings
from stance.data.download import NOTE, fetch_data
from stance.errors import ConfigError, DataError
from stance.line import resolve_data, run_prepare
from stance.settings import DataSettings, PrepareJob

JOB = compose_settings("prepare", ["data=circa"], PrepareJob)
ROWS = "id\tcontext\tquestion-X\tanswer-Y\tgoldstandard2\n" + "".join(
    f"{i}\tTalk\tQuestion {i}?\tAnswer {i} of them all.\t{('Yes', 'No')[i % 2]}\n" for i in range(40)
)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = ROWS.encode()
        self.send_response(200 if "circa-data" in self.path else 404)
        self.send_header("Content-Length", str(len(body) + ("short" in self.path)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def data(*urls: str, sha256: str | None = None) -> DataSettings:
    return replace(JOB.data, download=True, source=replace(JOB.data.source, urls=dict.fromkeys(urls, sha256)))


def test_download_fetches_once_and_notes_address_and_digest(address: str, tmp_path: Path) -> None:
    folder, digest = tmp_path / "circa", hashlib.sha256(ROWS.encode()).hexdigest()
    fetch_data(data(f"{address}/circa-data.tsv", sha256=digest), folder)
    note = json.loads((folder / NOTE).read_text())["circa-data.tsv"]
    assert (note["sha256"], note["bytes"], note["licence"]) == (digest, len(ROWS), "CC BY 4.0")
    (folder / "circa-data.tsv").write_text("mine")
    fetch_data(data(f"{address}/circa-data.tsv", sha256=digest), folder)
    assert (folder / "circa-data.tsv").read_text() == "mine"
    (folder / "circa-data.tsv").unlink()
    fetch_data(data(f"{address}/circa-data.tsv"), folder)
    assert (folder / "circa-data.tsv").read_text() == ROWS


@pytest.mark.parametrize("path", ["/gone.tsv", "/short/circa-data.tsv"])
def test_download_that_fails_leaves_nothing_and_says_what_to_do(path: str, address: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"can't be fetched .*by hand from https://github.com/.*give data.path=FOLDER"):
        fetch_data(data(f"{address}/circa-data.tsv", f"{address}{path}"), tmp_path / "circa")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/circa-data.tsv", "no-address/a.tsv", "file:///none/a.tsv"])
def test_download_without_a_network_is_one_sentence(url: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="can't be fetched") as caught:
        fetch_data(data(url), tmp_path / "circa")
    assert "\n" not in str(caught.value)


def test_download_of_another_content_is_refused(address: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds another file than expected, got sha256 \w{64}; expected 0000"):
        fetch_data(data(f"{address}/circa-data.tsv", sha256="0" * 64), tmp_path / "circa")
    assert list(tmp_path.iterdir()) == []


def test_download_never_replaces_other_things(address: str, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="holds other things"):
        fetch_data(data(f"{address}/circa-data.tsv"), tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_download_of_a_set_without_an_address_names_its_home(tmp_path: Path) -> None:
    job = compose_settings("prepare", ["data=pstance", "data.download=true"], PrepareJob)
    with pytest.raises(DataError, match=r"of pstance no open address is known.*by hand from https://github.com"):
        fetch_data(job.data, tmp_path / "pstance")


def test_download_a_set_that_is_not_there_names_its_home(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"circa is not there.*data.path=FOLDER or data.download=true"):
        resolve_data(JOB.data, tmp_path)


def test_download_is_the_first_step_of_prepare(address: str, tmp_path: Path, tiny_encoder: Path) -> None:
    model = replace(JOB.model, encoder=str(tiny_encoder), max_length=64)
    prepared = run_prepare(replace(JOB, data=data(f"{address}/circa-data.tsv"), model=model), tmp_path)
    assert sum(map(len, prepared.splits.parts().values())) == 40
    assert (tmp_path / "data/external/circa/circa-data.tsv").exists()
