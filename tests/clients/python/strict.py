"""Every answer of the gateway on its way to the package: written down as it came, then parsed strictly. A field that the package's
type does not know is an error, one that it needs and that is missing is an error, and so is a value of another type."""

import base64
import json
import re
from array import array
from dataclasses import dataclass, field
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import httpx2
from pydantic import TypeAdapter, ValidationError

from routes import Route, normal, of_the_package

# What OpenAI's description of the API demands of a list beside what the package's own class of a page reads.
LIST_FIELDS = {"object", "data", "first_id", "last_id", "has_more"}
LISTS = {
    "/v1/models": {"object", "data"},
    "/v1/vector_stores/{}/search": {"object", "search_query", "data", "has_more", "next_page"},
    "/v1/vector_stores/{}/files/{}/content": {"object", "data", "has_more", "next_page"},
}
# The one field that Ragline adds to OpenAI's answers.
OWN_FIELD = "ragline"
ERROR_FIELDS = {"message", "type", "param", "code"}


@dataclass
class Exchange:
    verb: str
    path: str
    status: int
    content_type: str
    headers: dict[str, str]
    body: bytearray = field(default_factory=bytearray)

    @property
    def is_stream(self) -> bool:
        return self.content_type.startswith("text/event-stream")

    def __str__(self) -> str:
        return f"{self.verb} {self.path} ({self.status})"


def events(body: bytes) -> list[tuple[str | None, str]]:
    """The name and the data of each event of a stream."""
    found = []
    for block in body.decode().replace("\r\n", "\n").split("\n\n"):
        name, data = None, []
        for line in block.split("\n"):
            if line.startswith("data:"):
                data.append(line.removeprefix("data:").removeprefix(" "))
            elif line.startswith("event:"):
                name = line.removeprefix("event:").strip()
        if data:
            found.append((name, "\n".join(data)))
    return found


def parse(of_type: Any, value: Any, where: str) -> list[str]:
    """What is wrong with a value of a type."""
    try:
        TypeAdapter(of_type).validate_json(json.dumps(without_own(value)), strict=True, extra="forbid")
    except ValidationError as error:
        branches: dict[Any, list[Any]] = {}
        for each in error.errors():
            branches.setdefault(each["loc"][:1] if is_union(of_type) else None, []).append(each)
        # Of a union every branch says what is wrong; the one that the value comes closest to is worth reading.
        closest = min(branches.values(), key=len)
        return [f"{where}: {'.'.join(map(str, each['loc']))}: {each['msg']}" for each in closest[:12]]
    return []


def is_union(of_type: Any) -> bool:
    return get_origin(get_args(of_type)[0] if get_origin(of_type) is Annotated else of_type) in (Union, UnionType)


def decoded(answer: Any) -> Any:
    """Vectors come in base64 where the package asks for it; it decodes them before its types see them."""
    for item in answer.get("data", []) if isinstance(answer, dict) else []:
        if isinstance(item, dict) and isinstance(item.get("embedding"), str):
            item["embedding"] = list(array("f", base64.b64decode(item["embedding"], validate=True)))
    return answer


def without_own(value: Any) -> Any:
    """The value without what Ragline tells beyond OpenAI's fields, which stands in one field of the answer itself."""
    if not isinstance(value, dict):
        return value
    return {name: without_own(part) if name == "response" else part for name, part in value.items() if name != OWN_FIELD}


class Recorder(httpx2.BaseTransport):
    """A transport that writes down what comes back."""

    def __init__(self) -> None:
        self.inner = httpx2.HTTPTransport(retries=0)
        self.routes = of_the_package()
        self.exchanges: list[Exchange] = []
        # Routes whose answers were parsed: verb, path, and whether it was a stream.
        self.proven: set[tuple[str, str, bool]] = set()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        response = self.inner.handle_request(request)
        headers = {name.lower(): value for name, value in response.headers.items()}
        exchange = Exchange(
            request.method, request.url.path, response.status_code, headers.get("content-type", ""), headers
        )
        self.exchanges.append(exchange)
        response.stream = _Tee(response.stream, exchange)
        return response

    def close(self) -> None:
        self.inner.close()

    def route(self, exchange: Exchange) -> Route | None:
        fitting = [
            (path.count("{}"), route)
            for (verb, path), route in self.routes.items()
            if verb == exchange.verb and re.fullmatch(re.escape(path).replace(re.escape("{}"), "[^/]+"), exchange.path)
        ]
        return min(fitting, key=lambda found: found[0])[1] if fitting else None

    def complaints(self) -> list[str]:
        """What is wrong with the answers since the last call."""
        found = []
        for exchange in self.exchanges:
            found += self.judge(exchange)
        self.exchanges.clear()
        return found

    def judge(self, exchange: Exchange) -> list[str]:
        where = str(exchange)
        found = [] if exchange.headers.get("x-request-id") else [f"{where}: no x-request-id"]
        if exchange.status >= 400:
            return found + error_complaints(where, bytes(exchange.body))
        route = self.route(exchange)
        if route is None:
            return [*found, f"{where}: the package has no such route"]
        body = bytes(exchange.body)
        if exchange.is_stream:
            found += stream_complaints(route, body, where)
        elif route.item is not None:
            found += list_complaints(route, body, where)
        elif route.answer is not None:
            found += parse(route.answer, decoded(json.loads(body)), where)
        if not found:
            self.proven.add((route.verb, normal("/v1" + route.path), exchange.is_stream))
        return found


class _Tee(httpx2.SyncByteStream):
    def __init__(self, inner: Any, exchange: Exchange) -> None:
        self.inner, self.exchange = inner, exchange

    def __iter__(self):
        for piece in self.inner:
            self.exchange.body += piece
            yield piece

    def close(self) -> None:
        self.inner.close()


def error_complaints(where: str, body: bytes) -> list[str]:
    try:
        error = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        return [f"{where}: no error in OpenAI's shape: {body[:200]!r}"]
    if set(error) != ERROR_FIELDS or not error["message"] or not error["type"]:
        return [f"{where}: the error has the fields {sorted(error)}"]
    return []


def stream_complaints(route: Route, body: bytes, where: str) -> list[str]:
    if route.event is None:
        return [f"{where}: the package expects no stream"]
    found, numbers = [], []
    for name, data in events(body):
        if data == "[DONE]":
            continue
        told = f"{where}, event {name or ''}"
        value = json.loads(data)
        found += parse(route.event, value, told)
        if name is not None and value.get("type") != name:
            found.append(f"{told}: its data say {value.get('type')!r}")
        if "sequence_number" in value:
            numbers.append(value["sequence_number"])
    if not events(body):
        found.append(f"{where}: the stream is empty")
    if numbers != list(range(len(numbers))):
        found.append(f"{where}: sequence numbers {numbers}")
    return found


def list_complaints(route: Route, body: bytes, where: str) -> list[str]:
    page = json.loads(body)
    wanted = LISTS.get(normal("/v1" + route.path), LIST_FIELDS)
    found = [] if set(page) == wanted else [f"{where}: the list has the fields {sorted(page)}, not {sorted(wanted)}"]
    for item in page.get("data", []):
        found += parse(route.item, item, where)
    return found
