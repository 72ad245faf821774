"""`client.files`."""

import openai
import pytest

CONTENT = b"The tramway runs every ten minutes.\n"


def upload(client: openai.OpenAI, name: str):
    return client.files.create(file=(name, CONTENT), purpose="assistants")


def test_a_file_is_kept_as_it_is_and_goes_when_told(client: openai.OpenAI) -> None:
    made = upload(client, "tramway.txt")
    assert (made.filename, made.bytes, made.purpose) == ("tramway.txt", len(CONTENT), "assistants")
    assert client.files.retrieve(made.id).filename == "tramway.txt"
    assert client.files.content(made.id).read() == CONTENT
    assert client.files.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(made.id)


def test_a_list_is_walked_page_by_page(client: openai.OpenAI) -> None:
    made = [upload(client, f"page-{number}.txt").id for number in range(5)]
    found = [file.id for file in client.files.list(limit=2, order="asc", purpose="assistants")]
    assert [one for one in found if one in made] == made
    assert [one.id for one in client.files.list(limit=2, order="desc").data] == [made[4], made[3]]
    for one in made:
        client.files.delete(one)


def test_a_file_without_a_known_purpose_is_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.files.create(file=("a.txt", b"a"), purpose="no-such-purpose")
    assert caught.value.param == "purpose"


def test_an_unknown_file_is_not_found_everywhere(client: openai.OpenAI) -> None:
    unknown = "file-00000000-0000-0000-0000-000000000000"
    for call in (client.files.retrieve, client.files.content, client.files.delete):
        with pytest.raises(openai.NotFoundError):
            call(unknown)
