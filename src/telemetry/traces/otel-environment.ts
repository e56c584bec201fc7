import { HearthError } from '../../errors.ts';
import { SAMPLERS } from './sampler.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Settings of traces from the variables that OpenTelemetry has for them (SDK environment variables, OTLP exporter), as far as they mean anything here.
 * Without an endpoint there are none: the variables may be meant for others.
 * @param hasEndpoint one is set by other means
 * @throws HearthError invalid_config
 */
export function otelSettings(environment: Environment, hasEndpoint: boolean): Record<string, unknown> {
  // An empty variable counts as not set.
  const get = (name: string) => environment[name]?.trim() || undefined;
  const base = get('OTEL_EXPORTER_OTLP_ENDPOINT');
  const endpoint = get('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT') ?? (base && `${base.replace(/\/+$/, '')}/v1/traces`);
  const isOff = get('OTEL_SDK_DISABLED')?.toLowerCase() === 'true' || get('OTEL_TRACES_EXPORTER') === 'none';
  if (!hasEndpoint && (endpoint === undefined || isOff)) return {};
  const protocol = get('OTEL_EXPORTER_OTLP_TRACES_PROTOCOL') ?? get('OTEL_EXPORTER_OTLP_PROTOCOL');
  if (!hasEndpoint && protocol === 'grpc') {
    throw invalid(
      'OTEL_EXPORTER_OTLP_PROTOCOL is grpc, which Hearth does not speak. Name the port at which the collector takes OTLP over HTTP (4318 by default) and set the protocol to http/protobuf, or OTEL_TRACES_EXPORTER=none.',
    );
  }
  const sampler = get('OTEL_TRACES_SAMPLER')?.toLowerCase();
  if (sampler !== undefined && !(SAMPLERS as readonly string[]).includes(sampler)) {
    throw invalid(`OTEL_TRACES_SAMPLER is ${JSON.stringify(sampler)}; Hearth knows ${SAMPLERS.join(', ')}.`);
  }
  const ratio = get('OTEL_TRACES_SAMPLER_ARG');
  if (ratio !== undefined && !(Number(ratio) >= 0 && Number(ratio) <= 1)) {
    throw invalid(`OTEL_TRACES_SAMPLER_ARG is ${JSON.stringify(ratio)}; it is to be a share, from 0 to 1.`);
  }
  const resource = pairs(get('OTEL_RESOURCE_ATTRIBUTES'));
  const serviceName = get('OTEL_SERVICE_NAME') ?? resource?.['service.name'];
  const settings = {
    endpoint,
    headers: pairs(get('OTEL_EXPORTER_OTLP_TRACES_HEADERS') ?? get('OTEL_EXPORTER_OTLP_HEADERS')),
    sampler,
    ratio: ratio === undefined ? undefined : Number(ratio),
    service_name: serviceName,
    resource,
  };
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}

function invalid(what: string): HearthError {
  return new HearthError('invalid_config', `Configuration: ${what}`);
}

/** `key=value` by commas, values percent-encoded (W3C Baggage). */
function pairs(text: string | undefined): Record<string, string> | undefined {
  if (text === undefined) return undefined;
  const items = text.split(',').map((item) => item.split(/=(.*)/s, 2).map((part) => part.trim()));
  return Object.fromEntries(items.filter(([name, value]) => name && value !== undefined).map(([name, value]) => [name, decoded(value as string)]));
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
