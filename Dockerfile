# The collector. Build: docker build -t glasshouse .   Run: docker run -p 4317:4317 -p 4318:4318 -p 8000:8000 -v glasshouse:/data glasshouse
FROM rust:1-slim-bookworm AS native
RUN apt-get update && apt-get install -y --no-install-recommends python3 python3-pip && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY requirements.lock .
RUN pip install --break-system-packages --no-cache-dir "$(grep ^maturin requirements.lock)"
COPY collector/otlp-arrow collector/otlp-arrow
RUN maturin build --release --locked --manifest-path collector/otlp-arrow/Cargo.toml --out /wheels
COPY collector/otlp-grpc collector/otlp-grpc
RUN maturin build --release --locked --manifest-path collector/otlp-grpc/Cargo.toml --out /wheels

FROM python:3.13-slim-bookworm
WORKDIR /src
COPY requirements.lock pyproject.toml README.md LICENSE ./
COPY instrumentation instrumentation
COPY exporters exporters
COPY collector/glasshouse_collector collector/glasshouse_collector
COPY --from=native /wheels /wheels
RUN pip install --no-cache-dir --constraint requirements.lock /wheels/*.whl ".[collector]" \
    && useradd --system --home-dir /data --create-home glasshouse
USER glasshouse
WORKDIR /data
VOLUME /data
ENV GLASSHOUSE_DATA_DIR=/data GLASSHOUSE_HOST=0.0.0.0
EXPOSE 4317 4318 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/ready', timeout=2)"]
ENTRYPOINT ["glasshouse"]
CMD ["serve"]
