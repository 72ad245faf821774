"""All of it was walked: every route that both the gateway and the package have answered in a way that parses strictly, once at
least, and as a stream where the package can ask for one. This file is the last that runs."""

import httpx2

from conftest import BASE_URL
from routes import normal, of_the_package
from strict import Recorder


def test_every_route_that_openai_has_was_proven(recorder: Recorder) -> None:
    paths = httpx2.get(BASE_URL.removesuffix("/v1") + "/openapi.json").json()["paths"]
    served = {
        (verb.upper(), normal(path)) for path, item in paths.items() if path.startswith("/v1/") for verb in item if verb != "parameters"
    }
    openais = of_the_package()
    shared = sorted(served & set(openais), key=lambda route: route[::-1])
    assert shared, "the gateway has no route of OpenAI's"
    missing = []
    for verb, path in shared:
        ways = [False, True] if openais[verb, path].event is not None and verb == "POST" else [False]
        missing += [f"{verb} {path}{' as a stream' if way else ''}" for way in ways if (verb, path, way) not in recorder.proven]
    assert not missing, "not proven: " + ", ".join(missing)
    print(f"{len(shared)} routes of OpenAI's proven")
