"""LangChain's classes for OpenAI, as its users set them up; only the address, the key and the model are ours."""

import httpx2
import pytest
from langchain_core.documents import Document
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

from conftest import API_KEY, BASE_URL, DOCUMENTS, EMBEDDING_MODEL, MODEL

QUESTION = "How long is the notice period of the lease?"


@pytest.fixture
def embeddings(http_client: httpx2.Client) -> OpenAIEmbeddings:
    # Without the check LangChain sends texts; with it, tokens of a tokenizer that it downloads.
    return OpenAIEmbeddings(
        model=EMBEDDING_MODEL, base_url=BASE_URL, api_key=API_KEY, http_client=http_client, check_embedding_ctx_length=False
    )


def chat(http_client: httpx2.Client, **more) -> ChatOpenAI:
    return ChatOpenAI(model=MODEL, base_url=BASE_URL, api_key=API_KEY, http_client=http_client, max_retries=0, **more)


def test_a_vector_store_finds_by_our_embeddings(embeddings: OpenAIEmbeddings) -> None:
    store = InMemoryVectorStore(embeddings)
    store.add_documents([Document(path.read_text(), metadata={"name": path.name}) for path in sorted(DOCUMENTS.iterdir())])
    found = store.similarity_search_with_score("How long is the notice period?", k=2)
    assert found[0][0].metadata["name"] == "lease.md" and found[0][1] > found[1][1]
    retriever = store.as_retriever(search_kwargs={"k": 1})
    assert retriever.invoke("When does the tramway run?")[0].metadata["name"] == "tramway.md"


def test_chat_answers_whole_and_piece_by_piece(http_client: httpx2.Client) -> None:
    model = chat(http_client)
    whole = model.invoke(QUESTION)
    assert "three months" in whole.content and whole.usage_metadata["total_tokens"] > 0
    pieces = "".join(piece.content for piece in model.stream(QUESTION))
    assert pieces == whole.content


def test_chat_by_responses_searches_a_vector_store(http_client: httpx2.Client, store: str) -> None:
    tools = [{"type": "file_search", "vector_store_ids": [store]}]
    answer = chat(http_client, use_responses_api=True).bind(tools=tools).invoke(QUESTION)
    assert "three months" in answer.text
