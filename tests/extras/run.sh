#!/bin/sh
# Run the tests marked "extras" in environments of their own. .venv-extras holds torch for the CPU,
# transformers with its server, and llama-cpp-python, which is compiled here the first time
# (about five minutes on two cores; needs cmake and a C++ compiler), diffusers with peft, the weights
# that come with lpips (without the torchvision it asks for: only a file of it is read), and
# scikit-image to check ours against. .venv-clip holds open_clip and, as it needs, torchvision;
# .venv-inspect holds inspect_ai.
# A changed pyproject.toml or constraints file installs again.
set -eu
cd "$(dirname "$0")/../.."
venv=.venv-extras
mark=$venv/.installed
if [ ! -e "$mark" ] || [ pyproject.toml -nt "$mark" ] || [ constraints-extras.txt -nt "$mark" ]; then
    echo "Installing torch, transformers, diffusers and llama-cpp-python into $venv (once)"
    "${PYTHON:-python3}" -m venv "$venv"
    "$venv/bin/python" -m pip --disable-pip-version-check -q install -c constraints.txt -c constraints-extras.txt \
        -e '.[hf]' 'transformers[serving]' 'llama-cpp-python[server]' gguf pytest pytest-timeout \
        diffusers peft scikit-image
    "$venv/bin/python" -m pip --disable-pip-version-check -q install --no-deps -c constraints-extras.txt lpips
    touch "$mark"
fi
HF_HUB_OFFLINE=1 "$venv/bin/python" -m pytest -m extras tests/extras --ignore=tests/extras/test_inspect_log.py \
    --ignore=tests/extras/test_open_clip.py --ignore=tests/extras/test_hub_source.py "$@"

# torchvision changes what transformers does with images: an environment of its own, with the
# library for datasets of the Hugging Face hub.
venv=.venv-clip
mark=$venv/.installed
if [ ! -e "$mark" ] || [ pyproject.toml -nt "$mark" ] || [ constraints-extras.txt -nt "$mark" ]; then
    echo "Installing open_clip and datasets into $venv (once)"
    "${PYTHON:-python3}" -m venv "$venv"
    "$venv/bin/python" -m pip --disable-pip-version-check -q install -c constraints.txt -c constraints-extras.txt \
        -e '.[clip,hub]' pytest pytest-timeout
    touch "$mark"
fi
HF_HUB_OFFLINE=1 "$venv/bin/python" -m pytest -m extras tests/extras/test_open_clip.py tests/extras/test_hub_source.py "$@"

# inspect_ai brings some eighty packages, and an fsspec that the others do not want: an
# environment of its own.
venv=.venv-inspect
mark=$venv/.installed
if [ ! -e "$mark" ] || [ pyproject.toml -nt "$mark" ] || [ constraints-inspect.txt -nt "$mark" ]; then
    echo "Installing inspect_ai into $venv (once)"
    "${PYTHON:-python3}" -m venv "$venv"
    "$venv/bin/python" -m pip --disable-pip-version-check -q install -c constraints-inspect.txt \
        -e '.[inspect]' pytest pytest-timeout
    touch "$mark"
fi
exec "$venv/bin/python" -m pytest -m extras tests/extras/test_inspect_log.py "$@"
