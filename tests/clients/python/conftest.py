"""A client as the official package makes it, whose answers are parsed strictly after each test."""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx2
import openai
import pytest

from strict import Recorder

DOCUMENTS = Path(__file__).parent.parent / "documents"
BASE_URL = os.environ["RAGLINE_URL"] + "/v1"
API_KEY = os.environ["RAGLINE_API_KEY"]
EMBEDDING_MODEL = "all-MiniLM-L6-v2"
# The name by which every pipeline's generation model goes.
MODEL = "ragline"


@pytest.fixture(scope="session")
def recorder() -> Iterator[Recorder]:
    recorder = Recorder()
    yield recorder
    recorder.close()


@pytest.fixture(scope="session")
def http_client(recorder: Recorder) -> Iterator[httpx2.Client]:
    with httpx2.Client(transport=recorder, timeout=60) as http_client:
        yield http_client


@pytest.fixture(scope="session")
def client(http_client: httpx2.Client) -> openai.OpenAI:
    return openai.OpenAI(base_url=BASE_URL, api_key=API_KEY, http_client=http_client, max_retries=0)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """A test fails, too, when an answer it got does not parse strictly."""
    recorder = item.funcargs.get("recorder")
    if recorder is not None:
        recorder.exchanges.clear()
    result = yield
    complaints = recorder.complaints() if recorder is not None else []
    assert not complaints, "\n".join(["the package's types say otherwise:", *complaints])
    return result


@pytest.fixture(autouse=True)
def recorded(recorder: Recorder) -> None:
    """Every test has the recorder."""


@pytest.fixture(scope="session")
def store(client: openai.OpenAI) -> Iterator[str]:
    """A vector store with the documents in it."""
    store = client.vector_stores.create(name="library", metadata={"shelf": "a"})
    for path in sorted(DOCUMENTS.iterdir()):
        file = client.vector_stores.files.upload_and_poll(
            vector_store_id=store.id, file=path, attributes={"title": path.stem, "year": 2024}
        )
        assert file.status == "completed", file.last_error
    yield store.id
    client.vector_stores.delete(store.id)
