# `docker build .` gives the job; `--target demo` the models of compose.yaml.
ARG PYTHON=python:3.13.9-slim-trixie

FROM ${PYTHON} AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY exporter ./exporter
COPY alerting/alertmanager ./alerting/alertmanager
# The virtual environment has no pip of its own, and no tests: what builds does not travel.
RUN python -m venv --without-pip /opt/model-exporter \
 && pip --python /opt/model-exporter/bin/python install --no-cache-dir \
    ".[exporter,parquet,postgres,web]" \
 && find /opt/model-exporter/lib -type d -name tests -prune -exec rm -rf {} +

FROM build AS build-demo
RUN pip --python /opt/model-exporter/bin/python install --no-cache-dir ".[demo]"

FROM ${PYTHON} AS base
LABEL org.opencontainers.image.title="model-exporter" \
      org.opencontainers.image.source="https://github.com/model-exporter/model-exporter" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN python -m pip uninstall --yes pip \
 && python -c "import ensurepip, shutil; shutil.rmtree(ensurepip.__path__[0])" \
 && mkdir -p /data /var/lib/model-exporter \
 && chown 65532:65532 /data /var/lib/model-exporter
# Threads that come and go would leave free memory behind in pools of their own.
ENV PATH=/opt/model-exporter/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    MALLOC_ARENA_MAX=2
USER 65532:65532
WORKDIR /data

FROM base AS demo
COPY --from=build-demo /opt/model-exporter /opt/model-exporter
EXPOSE 8000
ENTRYPOINT ["python", "-m", "model_exporter.demo.container"]
CMD ["/data"]

FROM base AS exporter
COPY --from=build /opt/model-exporter /opt/model-exporter
EXPOSE 9920
# Kubernetes has probes of its own and leaves this alone.
ENV HEALTH_URL=http://127.0.0.1:9920/-/healthy
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
  CMD ["python", "-c", "import os, urllib.request as r; r.build_opener(r.ProxyHandler({})).open(os.environ['HEALTH_URL'], timeout=4)"]
ENTRYPOINT ["model-exporter"]
CMD ["serve", "--config=/etc/model-exporter/exporter.yml"]
