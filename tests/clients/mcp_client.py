"""Searches, fetches and asks by the Model Context Protocol, with the protocol's own package."""

import asyncio
import json
import os

import httpx2
import mcp
from mcp.client.streamable_http import streamable_http_client

QUESTION = "What does Ragline turn one manifest into?"


def structured(result):
    """What a tool returned, which its text repeats."""
    assert not result.is_error, result.content
    assert json.loads(result.content[0].text) == result.structured_content
    return result.structured_content


async def tools(session):
    await session.initialize()
    names = [tool.name for tool in (await session.list_tools()).tools]
    assert names == ["search", "fetch", "ask"], names

    found = structured(await session.call_tool("search", {"query": QUESTION, "limit": 3}))["results"]
    assert found and found[0]["title"] == "README.md" and found[0]["passages"][0]["text"], found

    document = structured(await session.call_tool("fetch", {"id": found[0]["id"]}))
    assert found[0]["passages"][0]["text"].split("\n")[-1] in document["text"] and document["url"].startswith("ragline://"), document

    answer = structured(await session.call_tool("ask", {"question": QUESTION}))
    assert answer["grounded"] and answer["citations"][0]["id"] == found[0]["id"], answer

    wrong = await session.call_tool("fetch", {"id": "doc_x"})
    assert wrong.is_error and "document_not_found" in wrong.content[0].text, wrong
    print(f"  {len(document['text'])} characters fetched; the answer: {answer['answer'][:100]}")


async def main():
    headers = {"Authorization": f"Bearer {os.environ['RAGLINE_API_KEY']}"}
    async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
        async with streamable_http_client(f"{os.environ['RAGLINE_URL']}/mcp", http_client=http) as (reading, writing, *_):
            async with mcp.ClientSession(reading, writing) as session:
                await tools(session)


if __name__ == "__main__":
    asyncio.run(main())
