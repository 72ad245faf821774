"""`client.uploads`: files that come in parts."""

import hashlib

import openai
import pytest

CONTENT = b"The tramway runs every ten minutes. " * 3000


def test_a_file_comes_in_parts_the_packages_own_way(client: openai.OpenAI) -> None:
    made = client.uploads.upload_file_chunked(
        file=CONTENT, filename="tramway.txt", bytes=len(CONTENT), mime_type="text/plain", purpose="assistants", part_size=40_000,
        md5=hashlib.md5(CONTENT).hexdigest(),
    )
    assert made.status == "completed" and made.file is not None
    assert (made.file.filename, made.file.bytes) == ("tramway.txt", len(CONTENT))
    assert client.files.content(made.file.id).read() == CONTENT
    client.files.delete(made.file.id)


def test_parts_are_put_together_as_they_are_named(client: openai.OpenAI) -> None:
    upload = client.uploads.create(
        bytes=10, filename="parts.txt", mime_type="text/plain", purpose="user_data", expires_after={"anchor": "created_at", "seconds": 3600}
    )
    assert upload.status == "pending" and upload.expires_at > upload.created_at
    second, first = (client.uploads.parts.create(upload.id, data=data) for data in (b"world", b"hello"))
    assert first.upload_id == upload.id
    with pytest.raises(openai.BadRequestError) as caught:
        client.uploads.complete(upload.id, part_ids=[first.id, second.id], md5="0" * 32)
    assert caught.value.param == "md5"
    done = client.uploads.complete(upload.id, part_ids=[first.id, second.id])
    assert client.files.content(done.file.id).read() == b"helloworld" and done.file.expires_at > 0
    client.files.delete(done.file.id)


def test_a_cancelled_upload_takes_nothing_more(client: openai.OpenAI) -> None:
    upload = client.uploads.create(bytes=5, filename="a.txt", mime_type="text/plain", purpose="assistants")
    assert client.uploads.cancel(upload.id).status == "cancelled"
    with pytest.raises(openai.BadRequestError) as caught:
        client.uploads.parts.create(upload.id, data=b"hello")
    assert caught.value.code == "upload_closed"
    with pytest.raises(openai.NotFoundError):
        client.uploads.cancel("upload_00000000-0000-0000-0000-000000000000")
