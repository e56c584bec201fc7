# What Python functions run in with the docker driver: Python 3.9 to 3.14 with pip, and certificates. The agent and libraries are mounted into its containers.
# Built by `hearth images build`. The base may be any Linux image that has these already, or that gets them from apt.
ARG BASE=python:3.13-slim-bookworm
FROM ${BASE}
RUN if ! (python3 -m pip --version && test -e /etc/ssl/certs/ca-certificates.crt) >/dev/null 2>&1; then \
      apt-get update && \
      apt-get install -y --no-install-recommends python3 python3-pip ca-certificates && \
      rm -rf /var/lib/apt/lists/*; \
    fi && \
    find / -xdev -perm /6000 -type f -exec chmod a-s {} +
