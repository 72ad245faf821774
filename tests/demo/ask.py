#!/usr/bin/env python3
"""Asks the questions of a file through the gateway's API, prints answers, sources and times, and judges them.

    ask.py QUESTIONS.json        RAGLINE_URL, RAGLINE_API_KEY

An answerable question must be answered with one of the words in `says`, citing a file whose name holds `source`; one
that is marked `unknown` must not be answered. Exits 1 when any answer is not as it has to be.
"""

import json
import os
import sys
import textwrap
import time
import urllib.error
import urllib.request

DEADLINE_S = 60


def post(path, body):
    request = urllib.request.Request(
        os.environ["RAGLINE_URL"] + path,
        data=json.dumps(body).encode(),
        headers={"authorization": "Bearer " + os.environ["RAGLINE_API_KEY"], "content-type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as reply:
            return json.load(reply)
    except urllib.error.HTTPError as error:
        sys.exit(f"{path}: {error.code}: {error.read().decode(errors='replace')}")


def fault(wanted, reply):
    """What is wrong with the reply, or None."""
    if wanted.get("unknown"):
        return "the documents do not say this, but it was answered" if reply["grounded"] else None
    if not reply["grounded"]:
        return "the documents say this, but it was not answered"
    if not reply["citations"]:
        return "the answer cites nothing"
    if not any(word.lower() in reply["answer"].lower() for word in wanted["says"]):
        return f"the answer has none of the words {wanted['says']}"
    if not any(wanted["source"] in citation["filename"] for citation in reply["citations"]):
        return f"no source is one of {wanted['source']}"
    return None


def show(number, question, reply, took_ms):
    print(f"\nQuestion {number}: {question}")
    print(textwrap.indent(textwrap.fill(reply["answer"], 110), "    "))
    cited = {}
    for citation in reply["citations"]:
        cited.setdefault(citation["number"], citation)
    for mark, citation in sorted(cited.items()):
        page = f", page {citation['page']}" if citation.get("page") else ""
        print(f"    [{mark}] {citation['filename']}{page}")
    print(f"    confidence {reply['confidence']:.2f}, {took_ms:.0f} ms")


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        questions = json.load(file)
    faults = 0
    for number, wanted in enumerate(questions, 1):
        begun = time.monotonic()
        reply = post("/v1/answers", {"question": wanted["question"]})
        show(number, wanted["question"], reply, (time.monotonic() - begun) * 1000)
        wrong = fault(wanted, reply)
        if wrong:
            faults += 1
            print(f"    WRONG: {wrong}")
    print(f"\n{len(questions) - faults} of {len(questions)} answers are as they have to be.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
