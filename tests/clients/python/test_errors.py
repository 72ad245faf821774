"""What is refused, as the package's own exceptions."""

import httpx2
import openai
import pytest

from conftest import BASE_URL, EMBEDDING_MODEL


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
