"""What the official package calls, and what it takes the answers for: read out of its own source, so that no list of ours can be
short of a route or wrong about a type."""

import ast
import importlib
import pkgutil
import re
from dataclasses import dataclass
from typing import Any, get_args

import openai.resources

VERBS = {"_get": "GET", "_post": "POST", "_put": "PUT", "_patch": "PATCH", "_delete": "DELETE", "_get_api_list": "GET"}


@dataclass(frozen=True)
class Route:
    """One call of the package. `answer` is None for plain bytes; `item` is set for lists, `event` for streams."""

    verb: str
    path: str
    answer: Any = None
    item: Any = None
    event: Any = None


def normal(path: str) -> str:
    """The path without the names of its parameters."""
    return re.sub(r"\{[^}]*\}", "{}", path)


def _path(node: ast.expr) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "path_template":
        return _path(node.args[0])
    return None


def _calls(module: Any) -> list[Route]:
    def value(node: ast.expr | None) -> Any:
        if node is None:
            return None
        try:
            return eval(compile(ast.Expression(node), module.__name__, "eval"), vars(module))
        except NameError:
            return None

    found = []
    with open(module.__file__, encoding="utf-8") as source:
        tree = ast.parse(source.read())
    for call in ast.walk(tree):
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in VERBS and call.args):
            continue
        path = _path(call.args[0])
        if path is None:
            continue
        words = {word.arg: word.value for word in call.keywords}
        verb = VERBS[call.func.attr]
        if "method" in words:
            verb = words["method"].value.upper()
        if "page" in words:
            page = ast.unparse(words["page"])
            if page.startswith("Async"):
                continue
            found.append(Route(verb, path, item=value(words.get("model")) or value(words["page"].slice)))
            continue
        stream = ast.unparse(words["stream_cls"]) if "stream_cls" in words else ""
        if stream.startswith("AsyncStream"):
            continue
        answer = value(words.get("cast_to"))
        event = get_args(value(words["stream_cls"]))[0] if stream.startswith("Stream[") else None
        # The contents of a file are what they are; an answer of which the package reads nothing is told by its status.
        if answer is str or getattr(answer, "__name__", "") in ("HttpxBinaryResponseContent", "NoneType"):
            answer = None
        found.append(Route(verb, path, answer=answer, event=event))
    return found


def of_the_package() -> dict[tuple[str, str], Route]:
    """The package's routes by verb and path, parameters without names."""
    routes: dict[tuple[str, str], Route] = {}
    for about in pkgutil.walk_packages(openai.resources.__path__, "openai.resources."):
        if about.ispkg or about.name.startswith("openai.resources.beta."):
            continue
        for route in _calls(importlib.import_module(about.name)):
            key = (route.verb, normal("/v1" + route.path))
            known = routes.get(key)
            # Several methods share a route, as `create` and `parse` do; the one that knows most counts.
            if known is None or (known.event is None and route.event is not None) or (known.answer is None and known.item is None):
                routes[key] = route
    return routes
