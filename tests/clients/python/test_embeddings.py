"""`client.embeddings`."""

import math

import openai
import pytest

from conftest import EMBEDDING_MODEL


def test_a_text_becomes_a_vector_of_length_one(client: openai.OpenAI) -> None:
    answer = client.embeddings.create(model=EMBEDDING_MODEL, input="The notice period is three months.")
    vector = answer.data[0].embedding
    assert len(vector) == 384 and answer.model == EMBEDDING_MODEL and answer.usage.prompt_tokens > 5
    assert math.isclose(sum(part * part for part in vector), 1, abs_tol=1e-3)


def test_base64_which_the_package_asks_for_and_floats_are_the_same_vectors(client: openai.OpenAI) -> None:
    texts = ["one", "two", "three"]
    by_default = client.embeddings.create(model=EMBEDDING_MODEL, input=texts)
    floats = client.embeddings.create(model=EMBEDDING_MODEL, input=texts, encoding_format="float")
    assert [item.index for item in floats.data] == [0, 1, 2]
    for left, right in zip(by_default.data, floats.data, strict=True):
        assert left.embedding == pytest.approx(right.embedding, abs=1e-6)


def test_tokens_are_embedded_as_the_text_that_they_are(client: openai.OpenAI) -> None:
    """LangChain sends tokens of cl100k_base when it is set up with nothing but a model."""
    hello_world = [15339, 1917]
    by_text = client.embeddings.create(model=EMBEDDING_MODEL, input="hello world").data[0].embedding
    for tokens in (hello_world, [hello_world]):
        assert client.embeddings.create(model=EMBEDDING_MODEL, input=tokens).data[0].embedding == pytest.approx(by_text, abs=1e-6)


def test_vectors_have_the_length_that_the_model_allows(client: openai.OpenAI) -> None:
    vector = client.embeddings.create(model=EMBEDDING_MODEL, input="hello", dimensions=384).data[0].embedding
    assert len(vector) == 384
    with pytest.raises(openai.BadRequestError) as caught:
        client.embeddings.create(model=EMBEDDING_MODEL, input="hello", dimensions=256)
    assert caught.value.param == "dimensions"


def test_another_model_is_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.embeddings.create(model="text-embedding-3-large", input="a")
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    assert caught.value.request_id.startswith("req_")
