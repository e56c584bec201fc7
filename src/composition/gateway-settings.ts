import type { Config } from '../config.ts';
import type { GatewaySettings } from '../gateway/gateway.ts';

/** @param node this node's name, where there are others; else null */
export function gatewaySettings({ gateway }: Config, node: string | null): GatewaySettings {
  return {
    host: gateway.host,
    port: gateway.port,
    maxBodyBytes: gateway.max_body_bytes,
    maxStreamedBodyBytes: gateway.max_streamed_body_bytes,
    maxHeaderBytes: gateway.max_header_bytes,
    maxHeaders: gateway.max_headers,
    headersTimeoutMs: gateway.headers_timeout_ms,
    requestTimeoutMs: gateway.request_timeout_ms,
    keepAliveMs: gateway.keep_alive_ms,
    streamIdleMs: gateway.stream_idle_ms,
    minReadBytesPerS: gateway.min_read_bytes_per_s,
    maxConnections: gateway.max_connections,
    bodyMemoryBytes: gateway.body_memory_bytes,
    trustedProxies: gateway.trusted_proxies,
    node,
  };
}
