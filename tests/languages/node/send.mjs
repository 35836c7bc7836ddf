// Sends one trace, its logs and its metrics through the OpenTelemetry SDK for Node.js.
//
// Where to, how and as whom is read by the SDK from the standard OTEL_* environment variables; the
// remote parent from TRACEPARENT and TRACESTATE; the whole second all fixed times count from, from
// SENDER_BASE_SECONDS. Prints the span ids by span name as JSON.

import api from '@opentelemetry/api';
import apiLogs from '@opentelemetry/api-logs';
import sdkNode from '@opentelemetry/sdk-node';

const { ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, createTraceState, metrics, propagation, trace } = api;
const { SeverityNumber, logs } = apiLogs;

const SCOPE = 'glasshouse.languages';
const VERSION = '1.2.3';
const SCHEMA = { schemaUrl: 'https://opentelemetry.io/schemas/1.37.0' };
const BASE_SECONDS = Number(process.env.SENDER_BASE_SECONDS);

// A fixed time as the SDK's [seconds, nanoseconds] pair.
const at = (offsetNs) => [BASE_SECONDS, offsetNs];

// Sends three spans; returns the contexts of the server and the client span, and the span ids.
function sendTrace() {
  const tracer = trace.getTracer(SCOPE, VERSION, SCHEMA);
  const parent = propagation.extract(ROOT_CONTEXT, {
    traceparent: process.env.TRACEPARENT,
    tracestate: process.env.TRACESTATE,
  });
  const elsewhere = {
    traceId: '0102030405060708090a0b0c0d0e0f10',
    spanId: '1112131415161718',
    traceFlags: TraceFlags.SAMPLED,
    isRemote: true,
    traceState: createTraceState('vendor=linked'),
  };
  const server = tracer.startSpan(
    'POST /checkout',
    {
      kind: SpanKind.SERVER,
      startTime: at(100_000_000),
      links: [{ context: elsewhere, attributes: { 'link.kind': 'retry', 'link.attempt': 3 } }],
      attributes: {
        'attr.string': 'plain',
        'attr.unicode': 'žluťoučký 🐎 在庫',
        'attr.empty': '',
        'attr.int': 42,
        'attr.int.negative': -7,
        'attr.int.large': 9007199254740991, // Number.MAX_SAFE_INTEGER: JavaScript's numbers end here
        'attr.double': 2.5,
        'attr.double.whole': 3.0,
        'attr.bool.true': true,
        'attr.bool.false': false,
        'attr.strings': ['a', 'ü b'],
        'attr.ints': [1, -2, 3],
        'attr.doubles': [0.5, 1.25],
        'attr.bools': [true, false],
      },
    },
    parent,
  );
  server.addEvent('cart.loaded', { 'cart.items': 3, 'cart.kind': 'gift' }, at(110_000_000));
  const inServer = trace.setSpan(ROOT_CONTEXT, server);

  const client = tracer.startSpan('POST payment', { kind: SpanKind.CLIENT, startTime: at(150_000_000) }, inServer);
  client.setAttribute('peer.service', 'payment');
  const inClient = trace.setSpan(ROOT_CONTEXT, client);

  const inner = tracer.startSpan(
    'reserve ünïcode 在庫',
    { kind: SpanKind.INTERNAL, startTime: at(160_000_000) },
    inClient,
  );
  inner.end(at(160_000_001));

  client.recordException(new RangeError('card declined: ✗'), at(220_000_000));
  client.setStatus({ code: SpanStatusCode.ERROR, message: 'card declined' });
  client.end(at(230_000_000));
  server.setStatus({ code: SpanStatusCode.OK });
  server.end(at(350_000_001));

  const spanIds = {};
  for (const span of [server, client, inner]) spanIds[span.name] = span.spanContext().spanId;
  return { inServer, inClient, spanIds };
}

// Sends four log records: text, structured, an event outside any trace, and one without a time.
function sendLogs(inServer, inClient) {
  const logger = logs.getLogger(SCOPE, VERSION, { ...SCHEMA, attributes: { 'scope.kind': 'test' } });
  logger.emit({
    timestamp: at(120_000_000),
    context: inServer,
    severityNumber: SeverityNumber.INFO,
    severityText: 'INFO',
    body: 'order accepted: ünïcode 🐎',
    attributes: {
      'log.string': 'plain',
      'log.int': 42,
      'log.double': 2.5,
      'log.bool': true,
      'log.strings': ['a', 'ü b'],
      'log.map': { inner: { deep: 1 } },
    },
  });
  logger.emit({
    timestamp: at(225_000_000),
    context: inClient,
    severityNumber: SeverityNumber.ERROR,
    severityText: 'ERROR',
    body: {
      order: { id: 42, total: 9.5, items: ['a', 'ü b'], paid: false },
      raw: new Uint8Array([0, 1, 255]),
    },
  });
  logger.emit({
    timestamp: at(230_000_000),
    context: ROOT_CONTEXT,
    severityNumber: SeverityNumber.WARN2,
    severityText: 'warning, the second',
    eventName: 'shop.cart.abandoned',
    body: 42,
  });
  logger.emit({
    context: ROOT_CONTEXT,
    severityNumber: SeverityNumber.DEBUG,
    severityText: 'DEBUG',
    body: 'no time of its own',
  });
}

// Records sums, a gauge and histograms, some of it inside the server span.
function sendMetrics(inServer) {
  const meter = metrics.getMeter(SCOPE, VERSION, SCHEMA);
  const orders = meter.createCounter('shop.orders', {
    unit: '{order}',
    description: 'Orders placed, ünïcode 在庫',
  });
  const card = { payment: 'card', attempt: 1, retried: false };
  orders.add(2, card, ROOT_CONTEXT);
  orders.add(3, card, ROOT_CONTEXT);
  orders.add(7, { payment: 'cash' }, inServer);
  meter.createCounter('shop.revenue', { unit: 'EUR', description: 'Money taken' }).add(12.75, {}, ROOT_CONTEXT);
  const waiting = meter.createUpDownCounter('shop.waiting', { unit: '{order}', description: 'Orders waiting' });
  waiting.add(5, { queue: 'main' }, ROOT_CONTEXT);
  waiting.add(-7, { queue: 'main' }, ROOT_CONTEXT);
  const temperature = meter.createGauge('shop.temperature', { unit: 'Cel', description: 'Cold store' });
  temperature.record(-3.5, { room: '冷' }, ROOT_CONTEXT);
  const latency = meter.createHistogram('shop.latency', {
    unit: 'ms',
    description: 'Time to answer',
    advice: { explicitBucketBoundaries: [10, 100, 1000] },
  });
  for (const milliseconds of [5, 10, 50.5]) latency.record(milliseconds, { route: '/checkout' }, ROOT_CONTEXT);
  latency.record(5000, { route: '/checkout' }, inServer);
  const size = meter.createHistogram('shop.size', { unit: 'By', description: 'Size of an order' });
  for (const bytes of [0, 1, 2, 4, 8]) size.record(bytes, {}, ROOT_CONTEXT);
}

const { AggregationType } = sdkNode.metrics;
const { defaultResource, envDetector, resourceFromAttributes } = sdkNode.resources;
const sdk = new sdkNode.NodeSDK({
  resource: defaultResource().merge(resourceFromAttributes({}, SCHEMA)),
  resourceDetectors: [envDetector],
  views: [
    {
      instrumentName: 'shop.size',
      aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM, options: { maxSize: 20, recordMinMax: true } },
    },
  ],
});
sdk.start();
const { inServer, inClient, spanIds } = sendTrace();
sendLogs(inServer, inClient);
sendMetrics(inServer);
await sdk.shutdown();
process.stdout.write(JSON.stringify(spanIds));
