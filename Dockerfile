# The collector:  docker build -t glasshouse .        and with the demo's shop in it:  docker build --target shop -t glasshouse-shop .
# Alone, on this machine's ports, for who has the token; TLS is what a proxy in front of it would speak (docs/access.md):
#   docker run -e GLASSHOUSE_AUTH_TOKEN=... -e GLASSHOUSE_INSECURE=true -p 127.0.0.1:4318:4318 -p 127.0.0.1:8000:8000 -v glasshouse:/data glasshouse
# With everything beside it: docker-compose.yml, docs/deploy.md
FROM rust:1.91-slim-bookworm AS native
RUN apt-get update && apt-get install -y --no-install-recommends python3 python3-pip && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY requirements.lock .
RUN pip install --break-system-packages --no-cache-dir "$(grep ^maturin== requirements.lock)"
COPY collector/otlp-arrow collector/otlp-arrow
RUN maturin build --release --locked --manifest-path collector/otlp-arrow/Cargo.toml --out /wheels
COPY collector/otlp-grpc collector/otlp-grpc
RUN maturin build --release --locked --manifest-path collector/otlp-grpc/Cargo.toml --out /wheels

FROM python:3.13.9-slim-bookworm AS wheel
WORKDIR /src
COPY requirements.lock .
RUN grep ^hatchling== requirements.lock > hatchling.txt && pip install --no-cache-dir -r hatchling.txt -c requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY alerts alerts
COPY collector/glasshouse_collector collector/glasshouse_collector
COPY exporters exporters
COPY instrumentation instrumentation
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels .

FROM python:3.13.9-slim-bookworm AS base
# A new volume takes over the owner of the image's folder: this one is shared with Alertmanager, which runs as nobody.
RUN useradd --system --uid 10001 --home-dir /data --create-home glasshouse \
    && install -d -o nobody -g nogroup -m 0755 /etc/alertmanager
RUN --mount=type=bind,from=native,source=/wheels,target=/wheels/native \
    --mount=type=bind,from=wheel,source=/wheels,target=/wheels/ours \
    --mount=type=bind,source=requirements.lock,target=/wheels/requirements.lock \
    pip install --no-cache-dir --constraint /wheels/requirements.lock \
    /wheels/native/*.whl "$(echo /wheels/ours/glasshouse-*.whl)[collector,postgresql]"
WORKDIR /data
ENV PYTHONUNBUFFERED=1
ENTRYPOINT ["glasshouse"]

FROM base AS shop
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels/ours \
    --mount=type=bind,source=requirements.lock,target=/wheels/requirements.lock \
    pip install --no-cache-dir --constraint /wheels/requirements.lock "$(echo /wheels/ours/glasshouse-*.whl)[demo]"
USER glasshouse
VOLUME /data
CMD ["demo", "--data-dir", "/data"]

FROM base AS collector
USER glasshouse
VOLUME /data
ENV GLASSHOUSE_DATA_DIR=/data GLASSHOUSE_HOST=0.0.0.0
EXPOSE 4317 4318 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/ready', timeout=2)"]
CMD ["serve"]
