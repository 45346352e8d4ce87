# docker build -t guest-gateway .
# docker run -p 8080:8080 -v gateway:/data guest-gateway          (config.yaml is looked for in /data)

# The libraries of the player page; their hashes are checked below, by the code that checks them everywhere
# (gateway/web/vendor.py).
FROM node:22-slim AS player
RUN mkdir /player && npm pack hls.js@1.7.4 shaka-player@5.2.12 mpegts.js@1.8.2 livekit-client@2.23.0 --ignore-scripts --silent --pack-destination /player

FROM python:3.13-slim AS build
WORKDIR /app
COPY requirements.lock ./
# Without pip inside: what runs later can't install anything.
RUN python -m venv --without-pip /venv \
 && python -m pip --python /venv/bin/python install --no-cache-dir --require-hashes --no-deps --no-compile -r requirements.lock
COPY gateway gateway
COPY policies policies
COPY config.yaml README.md LICENSE ./
COPY --from=player /player /tmp/player
RUN PYTHONPATH=. python -c "from pathlib import Path; from gateway.web.vendor import unpack_from; unpack_from(Path('/tmp/player'))" \
 && /venv/bin/python -m compileall -q gateway /venv/lib \
 && chmod -R a+rX /app /venv

FROM python:3.13-slim
RUN useradd --uid 10001 --no-create-home --home-dir /data gateway \
 && install -d -o gateway -g gateway -m 0700 /data
COPY --from=build /venv /venv
COPY --from=build /app /app
ENV PATH=/venv/bin:$PATH PYTHONPATH=/app PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# Where the health check asks; another port or prefix in config.yaml needs another address here.
ENV GATEWAY_HEALTH=http://127.0.0.1:8080/_gateway/health/ready
USER gateway
WORKDIR /data
# The embedded store and the secrets made on first start.
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(os.environ['GATEWAY_HEALTH'], timeout=4)"]
# The embedded store ends with this process, and running streams may finish: docker stop --time 40.
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-m", "gateway"]
CMD ["serve"]
