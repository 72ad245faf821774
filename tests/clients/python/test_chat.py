"""`client.chat.completions`: answers from the documents of the workspace."""

import openai
import pytest

from conftest import MODEL

QUESTION = "How long is the notice period of the lease?"


def ask(client: openai.OpenAI, **more):
    return client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": QUESTION}], **more)


def test_a_question_is_answered_from_the_documents(client: openai.OpenAI) -> None:
    answer = ask(client)
    choice = answer.choices[0]
    assert "three months" in choice.message.content and choice.finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    notes = choice.message.annotations
    assert notes, "the answer cites nothing"
    for note in notes:
        cited = choice.message.content[note.url_citation.start_index : note.url_citation.end_index]
        assert cited.startswith("[") and cited.endswith("]") and note.url_citation.title, (cited, note)


def test_a_stream_says_what_the_whole_answer_says(client: openai.OpenAI) -> None:
    whole = ask(client)
    chunks = list(ask(client, stream=True, stream_options={"include_usage": True}))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[0].choices[0].delta.role == "assistant"
    reasons = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices]
    assert reasons[-1] == "stop" and not any(reasons[:-1])
    assert chunks[-1].choices == [] and chunks[-1].usage.total_tokens > 0


def test_the_packages_own_way_to_stream_gathers_the_answer(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(model=MODEL, messages=[{"role": "user", "content": QUESTION}]) as stream:
        kinds = {event.type for event in stream}
        whole = stream.get_final_completion()
    assert "content.delta" in kinds and "three months" in whole.choices[0].message.content


def test_a_conversation_and_instructions_are_taken(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model=MODEL,
        messages=[
            {"role": "system", "content": "You answer briefly."},
            {"role": "user", "content": "When does the tramway run?"},
            {"role": "assistant", "content": "Every ten minutes."},
            {"role": "user", "content": [{"type": "text", "text": QUESTION}]},
        ],
        temperature=0,
        max_completion_tokens=200,
        seed=1,
        user="somebody",
    )
    assert "three months" in answer.choices[0].message.content


def test_an_answer_ends_where_the_caller_wants(client: openai.OpenAI) -> None:
    whole = ask(client).choices[0].message.content
    cut = whole.index("months")
    for stop in ("months", ["no such words", "months"]):
        answer = ask(client, stop=stop).choices[0]
        assert answer.message.content == whole[:cut].rstrip() and answer.finish_reason == "stop"
    chunks = [chunk.choices[0] for chunk in ask(client, stop=["months"], stream=True) if chunk.choices]
    assert "".join(choice.delta.content or "" for choice in chunks) == whole[:cut].rstrip()
    assert chunks[-1].finish_reason == "stop"


def test_what_would_be_ignored_is_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, n=2)
    assert caught.value.param == "n"
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, response_format={"type": "json_object"})
    assert caught.value.param.startswith("response_format")
