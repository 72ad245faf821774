"""`client.vector_stores`, its files, batches and search."""

import openai
import pytest


def texts(page) -> list[str]:
    return [part.text for found in page for part in found.content]


def test_a_store_lives_and_dies(client: openai.OpenAI) -> None:
    made = client.vector_stores.create(name="first", metadata={"a": "b"})
    assert (made.name, made.file_counts.total, made.status) == ("first", 0, "completed")
    changed = client.vector_stores.update(made.id, name="second", metadata={"c": "d"})
    assert (changed.name, changed.metadata) == ("second", {"c": "d"})
    assert client.vector_stores.retrieve(made.id).name == "second"
    assert made.id in [store.id for store in client.vector_stores.list(limit=1)]
    assert client.vector_stores.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.vector_stores.retrieve(made.id)


def test_the_right_passage_is_found_with_a_score_from_0_to_1(client: openai.OpenAI, store: str) -> None:
    page = client.vector_stores.search(store, query="How long is the notice period?", max_num_results=2)
    assert "three months" in texts(page)[0] and page.data[0].filename == "lease.md"
    assert all(0 <= found.score <= 1 for found in page.data)
    assert page.data[0].attributes["year"] == 2024


def test_filters_and_thresholds_hold(client: openai.OpenAI, store: str) -> None:
    def search(**more):
        return client.vector_stores.search(store, query="How long is the notice period?", **more).data

    garden = search(filters={"type": "eq", "key": "title", "value": "garden"})
    assert garden and {found.filename for found in garden} == {"garden.md"}
    both = {"type": "and", "filters": [{"type": "gte", "key": "year", "value": 2025}, {"type": "ne", "key": "title", "value": "x"}]}
    assert search(filters=both) == []
    best = search()[0].score
    assert all(found.score >= best for found in search(ranking_options={"score_threshold": best}))


def test_a_search_says_what_it_searched_for(client: openai.OpenAI, store: str) -> None:
    # No language model is configured, so the question stays as it is.
    question = "How long is the notice period?"
    page = client.vector_stores.search(store, query=question, rewrite_query=True, ranking_options={"ranker": "none"})
    assert page.search_query == [question] and page.data[0].filename == "lease.md"


def test_the_files_of_a_store_are_listed_changed_read_and_removed(client: openai.OpenAI, store: str) -> None:
    added = client.vector_stores.files.upload_and_poll(vector_store_id=store, file=("boat.txt", b"The boat is green."))
    assert added.status == "completed" and added.last_error is None
    listed = [file.id for file in client.vector_stores.files.list(store, limit=1)]
    assert added.id in listed and len(listed) == 4
    changed = client.vector_stores.files.update(added.id, vector_store_id=store, attributes={"colour": "green"})
    assert changed.attributes == {"colour": "green"}
    assert client.vector_stores.files.retrieve(added.id, vector_store_id=store).attributes == {"colour": "green"}
    read = [part.text for part in client.vector_stores.files.content(added.id, vector_store_id=store)]
    assert "".join(read).strip() == "The boat is green."
    assert client.vector_stores.files.delete(added.id, vector_store_id=store).deleted
    with pytest.raises(openai.NotFoundError):
        client.vector_stores.files.retrieve(added.id, vector_store_id=store)


def test_a_file_that_exists_is_put_into_a_store(client: openai.OpenAI, store: str) -> None:
    file = client.files.create(file=("bell.txt", b"The bell rings at noon."), purpose="assistants")
    added = client.vector_stores.files.create_and_poll(file.id, vector_store_id=store, attributes={"loud": True})
    assert added.id == file.id and added.status == "completed" and added.usage_bytes > 0
    assert "bell" in texts(client.vector_stores.search(store, query="When does the bell ring?"))[0]
    client.vector_stores.files.delete(file.id, vector_store_id=store)
    client.files.delete(file.id)


def test_a_broken_file_fails_with_a_reason(client: openai.OpenAI, store: str) -> None:
    added = client.vector_stores.files.upload_and_poll(vector_store_id=store, file=("broken.pdf", b"%PDF-1.7 nothing"))
    assert added.status == "failed" and added.last_error.message
    assert added.last_error.code in ("unsupported_file", "invalid_file")
    failed = [file.id for file in client.vector_stores.files.list(store, filter="failed")]
    assert failed == [added.id]
    client.vector_stores.files.delete(added.id, vector_store_id=store)


def test_a_batch_is_taken_in_and_followed(client: openai.OpenAI) -> None:
    store = client.vector_stores.create(name="batches")
    files = [(f"{number}.txt", f"Number {number} is here.".encode()) for number in range(6)]
    batch = client.vector_stores.file_batches.upload_and_poll(store.id, files=files)
    assert (batch.status, batch.file_counts.completed, batch.file_counts.total) == ("completed", 6, 6)
    assert client.vector_stores.file_batches.retrieve(batch.id, vector_store_id=store.id).status == "completed"
    listed = list(client.vector_stores.file_batches.list_files(batch.id, vector_store_id=store.id, limit=4))
    assert len(listed) == 6 and {file.status for file in listed} == {"completed"}
    assert client.vector_stores.retrieve(store.id).file_counts.completed == 6
    client.vector_stores.delete(store.id)


def test_a_batch_can_be_cancelled(client: openai.OpenAI) -> None:
    store = client.vector_stores.create(name="cancelled")
    files = [client.files.create(file=(f"{n}.txt", f"Number {n}. ".encode() * 2000), purpose="assistants").id for n in range(4)]
    batch = client.vector_stores.file_batches.create(store.id, file_ids=files)
    cancelled = client.vector_stores.file_batches.cancel(batch.id, vector_store_id=store.id)
    assert cancelled.status in ("cancelled", "in_progress", "completed")
    client.vector_stores.delete(store.id)
    for file in files:
        client.files.delete(file)


def test_an_unknown_store_is_not_found_everywhere(client: openai.OpenAI) -> None:
    unknown = "vs_00000000-0000-0000-0000-000000000000"
    for call in (
        lambda: client.vector_stores.retrieve(unknown),
        lambda: client.vector_stores.search(unknown, query="a"),
        lambda: client.vector_stores.files.list(unknown),
        lambda: client.vector_stores.delete(unknown),
    ):
        with pytest.raises(openai.NotFoundError):
            call()
