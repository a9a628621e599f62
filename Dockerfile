# Both programs, llama-data and llama-train, for a user who is not root. The folder that is mounted at /work is theirs:
#
#   docker build -t llama-data .
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/work" llama-data llama-data quickstart demo --no-train
#
# PyTorch's page names an index of builds for CPUs alone, a tenth of the size: --build-arg TORCH_INDEX=ADDRESS
# Without training at all, or with more: --build-arg EXTRAS=s3 (or train,s3,gcs,ray, ...).
FROM python:3.11-slim AS build
WORKDIR /source
COPY pyproject.toml setup.cfg README.md LICENSE ./
COPY pipeline pipeline
COPY stages stages
COPY tokenizer tokenizer
COPY train_handoff train_handoff
COPY configs configs
RUN python -m pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.11-slim
ARG EXTRAS=train
ARG TORCH_INDEX
COPY constraints.txt /tmp/
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    if [ -n "$TORCH_INDEX" ]; then PIP_INDEX_URL="$TORCH_INDEX" python -m pip install --no-cache-dir \
        --constraint /tmp/constraints.txt torch; fi \
    && python -m pip install --no-cache-dir --constraint /tmp/constraints.txt "$(ls /wheels/*.whl)[$EXTRAS]" \
    && rm /tmp/constraints.txt \
    && llama-data --version && llama-train --version \
    && useradd --create-home --uid 1000 llama
# What numba compiles, models and copies of tables need a place that any user may write to; mount one to keep it.
ENV NUMBA_CACHE_DIR=/tmp/numba XDG_CACHE_HOME=/tmp/cache
USER llama
WORKDIR /work
CMD ["llama-data", "--help"]
