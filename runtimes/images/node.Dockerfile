# What Node.js functions run in with the docker driver: Node.js 22.15 or later with npm, Python 3.9 to 3.14 for what starts programs, and certificates. The agents
# and libraries are mounted into its containers. Built by `hearth images build`. The base may be any Linux image with Node.js that has the rest, or that gets it from apt.
ARG BASE=node:26-bookworm-slim
FROM ${BASE}
RUN node --version && \
    if ! (python3 --version && test -e /etc/ssl/certs/ca-certificates.crt) >/dev/null 2>&1; then \
      apt-get update && \
      apt-get install -y --no-install-recommends python3 ca-certificates && \
      rm -rf /var/lib/apt/lists/*; \
    fi && \
    find / -xdev -perm /6000 -type f -exec chmod a-s {} +
