import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config.ts';

const load = (environment: Record<string, string>) => loadConfig(environment, import.meta.dirname);

describe('times', () => {
  it('that no timer takes are refused: it would go off at once', () => {
    expect(() => load({ HEARTH_GATEWAY_REQUEST_TIMEOUT_MS: '2147483648' })).toThrow(/gateway\.request_timeout_ms must be <= 2147483647/);
    expect(load({ HEARTH_GATEWAY_REQUEST_TIMEOUT_MS: '2147483647' }).gateway.request_timeout_ms).toBe(2147483647);
  });

  it('that something is kept for may be longer', () => {
    expect(load({ HEARTH_RECORDS_KEEP_MS: '31536000000' }).records.keep_ms).toBe(31536000000);
  });
});

describe('traces', () => {
  const traces = (environment: Record<string, string>) => load(environment).traces;

  it('are off by default, whatever else OpenTelemetry is told', () => {
    expect(traces({ OTEL_SERVICE_NAME: 'x', OTEL_TRACES_SAMPLER: 'xray', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' })).toMatchObject({
      endpoint: '',
      service_name: 'hearth',
      sampler: 'parentbased_always_on',
    });
  });

  it("are set by OpenTelemetry's own variables", () => {
    const environment = {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318/base/',
      OTEL_EXPORTER_OTLP_HEADERS: 'api-key=a%20b, other=c=d',
      OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '0.25',
      OTEL_RESOURCE_ATTRIBUTES: 'service.name=other,deployment.environment.name=test',
      OTEL_SERVICE_NAME: 'mine',
    };
    expect(traces(environment)).toEqual({
      endpoint: 'http://collector:4318/base/v1/traces',
      headers: { 'api-key': 'a b', other: 'c=d' },
      service_name: 'mine',
      resource: { 'service.name': 'other', 'deployment.environment.name': 'test' },
      sampler: 'parentbased_traceidratio',
      ratio: 0.25,
      max_per_s: 100,
    });
    const own = { HEARTH_TRACES_ENDPOINT: 'http://mine:4318', HEARTH_TRACES_RATIO: '0.5', HEARTH_TRACES_HEADERS: 'a=b' };
    expect(traces({ ...environment, ...own })).toMatchObject({ endpoint: 'http://mine:4318', ratio: 0.5, headers: { a: 'b' }, service_name: 'mine' });
    expect(traces({ ...environment, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://traces/as-it-is' }).endpoint).toBe('http://traces/as-it-is');
  });

  it('are off when OpenTelemetry is', () => {
    const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };
    expect([traces({ ...endpoint, OTEL_SDK_DISABLED: 'true' }).endpoint, traces({ ...endpoint, OTEL_TRACES_EXPORTER: 'none' }).endpoint]).toEqual([
      '',
      '',
    ]);
  });

  it('say what can not be: another protocol, sampler, share', () => {
    const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4317' };
    expect(() => load({ ...endpoint, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' })).toThrow(/OTEL_EXPORTER_OTLP_PROTOCOL is grpc/);
    expect(() => load({ ...endpoint, OTEL_TRACES_SAMPLER: 'xray' })).toThrow(/OTEL_TRACES_SAMPLER is "xray"/);
    expect(() => load({ ...endpoint, OTEL_TRACES_SAMPLER_ARG: '2' })).toThrow(/OTEL_TRACES_SAMPLER_ARG is "2"/);
    expect(() => load({ HEARTH_TRACES_ENDPOINT: 'collector:4318' })).toThrow(/traces\.endpoint/);
  });
});
