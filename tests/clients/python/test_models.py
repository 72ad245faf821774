"""`client.models`."""

import openai
import pytest

from conftest import EMBEDDING_MODEL, MODEL


def test_the_models_are_listed_and_shown(client: openai.OpenAI) -> None:
    models = [model.id for model in client.models.list()]
    assert {EMBEDDING_MODEL, MODEL} <= set(models)
    for model in models:
        assert client.models.retrieve(model).id == model


def test_an_unknown_model_is_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("no-such-model")
    assert caught.value.code == "model_not_found"
