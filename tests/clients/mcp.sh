#!/bin/bash
# The official Python package of the Model Context Protocol against a real gateway with the built-in models: the tools are listed and
# called, and a failure is read. The last line is "N passed, N failed"; stops all that it started. Variables: see gateway.sh.
set -euo pipefail
name=mcp
# shellcheck source=tests/clients/gateway.sh
. "$(dirname "$0")/gateway.sh"
packages "$clients/requirements-mcp.txt"
gateway_present
check "the Model Context Protocol by its Python package" python "$clients/mcp_client.py"
