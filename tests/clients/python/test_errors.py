"""What is refused, as the package's own exceptions."""

import http.client
import json
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import httpx2
import openai
import pytest

from conftest import API_KEY, BASE_URL, EMBEDDING_MODEL


def test_a_wrong_key_is_an_authentication_error(http_client: httpx2.Client) -> None:
    stranger = openai.OpenAI(base_url=BASE_URL, api_key="wrong", http_client=http_client, max_retries=0)
    with pytest.raises(openai.AuthenticationError) as caught:
        stranger.embeddings.create(model=EMBEDDING_MODEL, input="a")
    assert caught.value.code == "invalid_api_key"


def test_what_is_wrong_with_a_request_is_named(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.embeddings.create(model=EMBEDDING_MODEL, input=[])
    assert caught.value.param == "input" and caught.value.type == "invalid_request_error"
    with pytest.raises(openai.BadRequestError):
        client.embeddings.create(model=EMBEDDING_MODEL, input="a", extra_body={"no_such_field": 1})


def test_a_route_that_is_not_there_is_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.moderations.create(input="a")


def test_an_error_in_openais_shape_leaves_the_connection_usable(client: openai.OpenAI) -> None:
    for _ in range(3):
        with pytest.raises(openai.NotFoundError):
            client.embeddings.create(model="no-such-model", input="a")
        assert client.embeddings.create(model=EMBEDDING_MODEL, input="a").data


@pytest.mark.parametrize("mebibytes", [9, 40, 100])
def test_a_body_that_is_too_large_hears_why(client: openai.OpenAI, mebibytes: int) -> None:
    """The package, and the standard library's clients, which send all of a body before they read."""
    text = "x" * (mebibytes << 20)
    with pytest.raises(openai.APIStatusError) as caught:
        client.embeddings.create(model=EMBEDDING_MODEL, input=text)
    assert (caught.value.status_code, caught.value.code) == (413, "body_too_large")
    body = json.dumps({"model": EMBEDDING_MODEL, "input": text}).encode()
    headers = {"Authorization": f"Bearer {API_KEY}", "Content-Type": "application/json"}
    where = urlsplit(BASE_URL)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=60)
    connection.request("POST", where.path + "/embeddings", body, headers)
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["error"]["code"]) == (413, "body_too_large")
    # The connection is as good as new.
    connection.request("GET", where.path + "/models", headers=headers)
    assert connection.getresponse().status == 200
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(BASE_URL + "/embeddings", body, headers), timeout=60)
    assert refused.value.code == 413


@pytest.mark.parametrize("mebibytes", [70, 100])
def test_a_file_that_is_too_large_hears_why(client: openai.OpenAI, mebibytes: int) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        client.files.create(file=("large.txt", b"x" * (mebibytes << 20)), purpose="assistants")
    assert (caught.value.status_code, caught.value.code) == (413, "file_too_large")


def test_an_upload_with_a_wrong_key_hears_why(http_client: httpx2.Client) -> None:
    stranger = openai.OpenAI(base_url=BASE_URL, api_key="wrong", http_client=http_client, max_retries=0)
    with pytest.raises(openai.AuthenticationError):
        stranger.files.create(file=("large.txt", b"x" * (60 << 20)), purpose="assistants")
