"""`client.responses`, with file_search."""

import time

import openai
import pytest

from conftest import MODEL

QUESTION = "How long is the notice period of the lease?"


def search_in(store: str) -> dict:
    return {"type": "file_search", "vector_store_ids": [store], "max_num_results": 3}


def test_a_response_cites_the_file_it_rests_on(client: openai.OpenAI, store: str) -> None:
    answer = client.responses.create(model=MODEL, input=QUESTION, tools=[search_in(store)], include=["file_search_call.results"])
    assert answer.status == "completed" and "three months" in answer.output_text and answer.usage.total_tokens > 0
    call = next(item for item in answer.output if item.type == "file_search_call")
    assert call.queries and "three months" in call.results[0].text and 0 <= call.results[0].score <= 1
    message = next(item for item in answer.output if item.type == "message")
    notes = message.content[0].annotations
    assert notes and notes[0].type == "file_citation" and notes[0].filename == "lease.md"
    assert all(0 <= note.index <= len(message.content[0].text) for note in notes)


def test_results_come_only_when_asked_for(client: openai.OpenAI, store: str) -> None:
    answer = client.responses.create(model=MODEL, input=QUESTION, tools=[search_in(store)])
    assert next(item for item in answer.output if item.type == "file_search_call").results is None


def test_a_stream_says_what_the_whole_response_says(client: openai.OpenAI, store: str) -> None:
    events = list(client.responses.create(model=MODEL, input=QUESTION, tools=[search_in(store)], stream=True))
    kinds = [event.type for event in events]
    assert kinds[:2] == ["response.created", "response.in_progress"] and kinds[-1] == "response.completed"
    for kind in ("searching", "completed"):
        assert f"response.file_search_call.{kind}" in kinds
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    done = next(event for event in events if event.type == "response.output_text.done")
    assert text == done.text == events[-1].response.output_text and "three months" in text
    assert "response.output_text.annotation.added" in kinds


def test_the_packages_own_way_to_stream_gathers_the_response(client: openai.OpenAI) -> None:
    with client.responses.stream(model=MODEL, input=QUESTION) as stream:
        for _ in stream:
            pass
        assert "three months" in stream.get_final_response().output_text


def test_a_response_is_kept_continued_and_deleted(client: openai.OpenAI) -> None:
    first = client.responses.create(model=MODEL, input=QUESTION, instructions="Be brief.", metadata={"a": "b"})
    kept = client.responses.retrieve(first.id)
    assert kept.output_text == first.output_text and kept.metadata == {"a": "b"}
    items = list(client.responses.input_items.list(first.id))
    assert items[0].content[0].text == QUESTION
    second = client.responses.create(model=MODEL, input="And what about the garden?", previous_response_id=first.id)
    assert second.previous_response_id == first.id
    client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(first.id)
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model=MODEL, input="And?", previous_response_id=first.id)
    assert (caught.value.code, caught.value.param) == ("previous_response_not_found", "previous_response_id")


def test_what_was_asked_for_is_told_back(client: openai.OpenAI) -> None:
    answer = client.responses.create(model=MODEL, input=QUESTION, truncation="disabled", parallel_tool_calls=False)
    assert (answer.truncation, answer.parallel_tool_calls) == ("disabled", False)


def test_a_response_in_the_background_is_waited_for_or_cancelled(client: openai.OpenAI) -> None:
    made = client.responses.create(model=MODEL, input=QUESTION, background=True)
    for _ in range(300):
        if made.status not in ("queued", "in_progress"):
            break
        time.sleep(0.1)
        made = client.responses.retrieve(made.id)
    assert made.status == "completed" and "three months" in made.output_text
    other = client.responses.create(model=MODEL, input=QUESTION, background=True)
    # It may have been quicker than we were.
    assert client.responses.cancel(other.id).status in ("cancelled", "completed")


def test_a_response_that_is_not_kept_cannot_be_read(client: openai.OpenAI) -> None:
    answer = client.responses.create(model=MODEL, input=QUESTION, store=False)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(answer.id)


def test_what_a_request_would_read_is_counted(client: openai.OpenAI, store: str) -> None:
    count = client.responses.input_tokens.count(model=MODEL, input=QUESTION, tools=[search_in(store)])
    assert count.object == "response.input_tokens" and count.input_tokens > 20
    longer = client.responses.input_tokens.count(
        model=MODEL, input=QUESTION, tools=[search_in(store)], instructions="Be as brief as you can, and write in English."
    )
    assert longer.input_tokens > count.input_tokens


def test_conversations_are_not_compacted_by_the_caller(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.responses.compact(model=MODEL, input=QUESTION)
    assert caught.value.code == "unknown_route"


def test_functions_are_refused(client: openai.OpenAI) -> None:
    function = {"type": "function", "name": "f", "parameters": {}, "strict": True}
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model=MODEL, input=QUESTION, tools=[function])
    assert caught.value.param.startswith("tools")
