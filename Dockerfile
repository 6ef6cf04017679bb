FROM python:3.13-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY exporter ./exporter
COPY alerting/alertmanager ./alerting/alertmanager
# The virtual environment has no pip of its own: what builds does not travel.
RUN python -m venv --without-pip /opt/model-exporter \
 && pip --python /opt/model-exporter/bin/python install --no-cache-dir ".[exporter,parquet,postgres,demo]"

FROM python:3.13-slim
RUN python -m pip uninstall --yes pip \
 && mkdir -p /data /var/lib/model-exporter \
 && chown 65532:65532 /data /var/lib/model-exporter
COPY --from=build /opt/model-exporter /opt/model-exporter
ENV PATH=/opt/model-exporter/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
WORKDIR /data
EXPOSE 9920
ENTRYPOINT ["model-exporter"]
CMD ["serve", "--config", "/etc/model-exporter/exporter.yml"]
