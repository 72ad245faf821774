"""Checks that a description is valid OpenAPI 3.1, and that each example in it is what its schema says."""

import json
import sys

from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator


def examples(node, path=""):
    """Every schema with an example beside it: media types and parameters."""
    if isinstance(node, dict):
        schema = node.get("schema")
        if isinstance(schema, dict):
            if "example" in node:
                yield path, schema, node["example"]
            for name, example in (node.get("examples") or {}).items():
                yield f"{path} ({name})", schema, example["value"]
        for key, value in node.items():
            if key not in ("example", "examples"):
                yield from examples(value, f"{path}/{key}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from examples(value, f"{path}/{index}")


def main(file):
    with open(file, encoding="utf-8") as opened:
        api = json.load(opened)
    wrong = [f"{'/'.join(map(str, error.path))}: {error.message[:300]}" for error in OpenAPIV31SpecValidator(api).iter_errors()]
    count = 0
    for path, schema, example in examples({"paths": api["paths"], "components": {k: v for k, v in api["components"].items() if k != "schemas"}}):
        count += 1
        # The components come along so that references lead somewhere.
        validator = Draft202012Validator({**schema, "components": api["components"]})
        wrong += [f"{path}: {error.message[:300]}" for error in validator.iter_errors(example)]
    for line in wrong:
        print(f"  {line}")
    print(f"{count} examples, {len(wrong)} faults")
    return 1 if wrong or not count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
