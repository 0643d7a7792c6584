# One image a target: `docker build --target cpu .` or `--target gpu` (the default). Neither holds torch or training code.
# What a container does is its command: listener, api, worker, sweeper, migrate (see docker-compose.yml).

FROM python:3.12-slim-bookworm AS base-cpu

FROM nvidia/cuda:12.8.1-cudnn-runtime-ubuntu24.04 AS base-gpu
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*

FROM base-cpu AS build-cpu
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE NOTICE ./
COPY models models
COPY service service
RUN python3 -m venv /opt/mammotriage \
    && /opt/mammotriage/bin/python -m pip install --no-cache-dir -c constraints.txt '.[cpu]'

FROM base-gpu AS build-gpu
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE NOTICE ./
COPY models models
COPY service service
RUN python3 -m venv /opt/mammotriage \
    && /opt/mammotriage/bin/python -m pip install --no-cache-dir -c constraints.txt '.[gpu]'

FROM base-cpu AS cpu
COPY --from=build-cpu /opt/mammotriage /opt/mammotriage
RUN useradd --system --uid 10001 --create-home mammotriage && install -d -o mammotriage /data
ENV PATH=/opt/mammotriage/bin:$PATH PYTHONUNBUFFERED=1 MAMMOTRIAGE_DATA_DIR=/data
USER 10001
WORKDIR /home/mammotriage
VOLUME /data
EXPOSE 8080 11112
HEALTHCHECK --interval=15s --timeout=10s --start-period=30s CMD ["mammotriage", "health", "api"]
ENTRYPOINT ["mammotriage"]
CMD ["serve"]

FROM base-gpu AS gpu
COPY --from=build-gpu /opt/mammotriage /opt/mammotriage
RUN useradd --system --uid 10001 --create-home mammotriage && install -d -o mammotriage /data
ENV PATH=/opt/mammotriage/bin:$PATH PYTHONUNBUFFERED=1 MAMMOTRIAGE_DATA_DIR=/data
USER 10001
WORKDIR /home/mammotriage
VOLUME /data
EXPOSE 8080 11112
HEALTHCHECK --interval=15s --timeout=10s --start-period=30s CMD ["mammotriage", "health", "api"]
ENTRYPOINT ["mammotriage"]
CMD ["serve"]
