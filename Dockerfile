# The bot as an image: small, not root, every package by its hash from requirements.lock.
#
#   docker build -t render-autoscaler .
#   docker run -d --restart unless-stopped -e RENDER_API_KEY -e SLACK_BOT_TOKEN -e SCALING_HEALTH_TOKEN \
#     -v "$PWD/policies:/policies:ro" -v autoscaler:/var/data render-autoscaler
#
# Secrets come with `docker run`, never with `docker build`: whatever is built in can be read out of the image.
# For the very same base every time, name it by its digest: --build-arg BASE=python@sha256:…
ARG BASE=python:3.13-slim-bookworm

FROM ${BASE} AS build
WORKDIR /src
# An environment without pip: what is shipped can run, and not install.
RUN python -m venv --without-pip /opt/autoscaler
# The locks before the sources: an edit of the code does not fetch the packages again.
COPY requirements.lock requirements-dev.lock ./
RUN pip --python /opt/autoscaler install --no-cache-dir --disable-pip-version-check --only-binary :all: --require-hashes -r requirements.lock
# The build backend by its hash, too; left to itself pip would fetch whichever is newest. It stays behind in this stage.
RUN sed -n -E '/^(hatchling|packaging|pathspec|pluggy|tomlkit|trove-classifiers)==/,/[^\\]$/p' requirements-dev.lock > backend.lock \
 && pip install --no-cache-dir --disable-pip-version-check --only-binary :all: --require-hashes -r backend.lock
COPY pyproject.toml README.md LICENSE ./
COPY autoscaler autoscaler
COPY render_client render_client
RUN hatchling build -t wheel -d dist \
 && pip --python /opt/autoscaler install --no-cache-dir --disable-pip-version-check --no-index --no-deps dist/*.whl

FROM ${BASE}
# 1000 is also the group that Render gives a mounted disk to.
RUN useradd --uid 1000 --no-create-home --home-dir /var/data --shell /usr/sbin/nologin autoscaler \
 && install -d -o autoscaler -g autoscaler /var/data
COPY --from=build /opt/autoscaler /opt/autoscaler
COPY policies /policies
ENV PATH=/opt/autoscaler/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    AUTOSCALER_POLICIES=/policies
# Without DATABASE_URL the database is autoscaler.db in the working folder, so a volume or a Render disk at /var/data keeps it.
# No VOLUME line: on Render that would look like a mounted disk and be gone with the next deploy.
WORKDIR /var/data
USER 1000
# Docker and Compose ask; Render does not, it watches the process itself.
HEALTHCHECK --interval=60s --timeout=15s --start-period=60s --retries=3 \
    CMD ["autoscaler", "status", "--alive", "60s"]
# No shell in between: SIGTERM reaches the worker, which then drains.
ENTRYPOINT ["autoscaler"]
CMD ["run"]
