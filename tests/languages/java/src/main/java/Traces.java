import static io.opentelemetry.api.common.AttributeKey.booleanArrayKey;
import static io.opentelemetry.api.common.AttributeKey.booleanKey;
import static io.opentelemetry.api.common.AttributeKey.doubleArrayKey;
import static io.opentelemetry.api.common.AttributeKey.doubleKey;
import static io.opentelemetry.api.common.AttributeKey.longArrayKey;
import static io.opentelemetry.api.common.AttributeKey.longKey;
import static io.opentelemetry.api.common.AttributeKey.stringArrayKey;
import static io.opentelemetry.api.common.AttributeKey.stringKey;

import io.opentelemetry.api.OpenTelemetry;
import io.opentelemetry.api.common.Attributes;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanContext;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.api.trace.StatusCode;
import io.opentelemetry.api.trace.TraceFlags;
import io.opentelemetry.api.trace.TraceState;
import io.opentelemetry.api.trace.Tracer;
import io.opentelemetry.api.trace.propagation.W3CTraceContextPropagator;
import io.opentelemetry.context.Context;
import io.opentelemetry.context.propagation.TextMapGetter;
import java.util.Map;

/** Sends three spans; keeps the contexts of the server and the client span, and the span ids. */
final class Traces {
  final Context inServer;
  final Context inClient;
  final Map<String, String> spanIds;

  Traces(OpenTelemetry telemetry) {
    Tracer tracer =
        telemetry
            .getTracerProvider()
            .tracerBuilder(Send.SCOPE)
            .setInstrumentationVersion(Send.VERSION)
            .setSchemaUrl(Send.SCHEMA)
            .build();
    Span server = startServer(tracer);
    inServer = Context.root().with(server);
    Span client =
        tracer
            .spanBuilder("POST payment")
            .setParent(inServer)
            .setSpanKind(SpanKind.CLIENT)
            .setStartTimestamp(Send.at(150_000_000))
            .startSpan();
    client.setAttribute("peer.service", "payment");
    inClient = Context.root().with(client);
    Span inner =
        tracer
            .spanBuilder("reserve ünïcode 在庫")
            .setParent(inClient)
            .setStartTimestamp(Send.at(160_000_000))
            .startSpan();
    inner.end(Send.at(160_000_001));

    client.recordException(new IllegalStateException("card declined: ✗"));
    client.setStatus(StatusCode.ERROR, "card declined");
    client.end(Send.at(230_000_000));
    server.setStatus(StatusCode.OK);
    server.end(Send.at(350_000_001));
    spanIds =
        Map.of(
            "POST /checkout", server.getSpanContext().getSpanId(),
            "POST payment", client.getSpanContext().getSpanId(),
            "reserve ünïcode 在庫", inner.getSpanContext().getSpanId());
  }

  private static Span startServer(Tracer tracer) {
    SpanContext elsewhere =
        SpanContext.createFromRemoteParent(
            "0102030405060708090a0b0c0d0e0f10",
            "1112131415161718",
            TraceFlags.getSampled(),
            TraceState.builder().put("vendor", "linked").build());
    Span server =
        tracer
            .spanBuilder("POST /checkout")
            .setParent(remoteParent())
            .setSpanKind(SpanKind.SERVER)
            .setStartTimestamp(Send.at(100_000_000))
            .addLink(
                elsewhere,
                Attributes.of(stringKey("link.kind"), "retry", longKey("link.attempt"), 3L))
            .setAllAttributes(everyType())
            .startSpan();
    server.addEvent(
        "cart.loaded",
        Attributes.of(longKey("cart.items"), 3L, stringKey("cart.kind"), "gift"),
        Send.at(110_000_000));
    return server;
  }

  private static Attributes everyType() {
    return Attributes.builder()
        .put(stringKey("attr.string"), "plain")
        .put(stringKey("attr.unicode"), "žluťoučký 🐎 在庫")
        .put(stringKey("attr.empty"), "")
        .put(longKey("attr.int"), 42L)
        .put(longKey("attr.int.negative"), -7L)
        .put(longKey("attr.int.large"), 9007199254740993L)
        .put(doubleKey("attr.double"), 2.5)
        .put(doubleKey("attr.double.whole"), 3.0)
        .put(booleanKey("attr.bool.true"), true)
        .put(booleanKey("attr.bool.false"), false)
        .put(stringArrayKey("attr.strings"), "a", "ü b")
        .put(longArrayKey("attr.ints"), 1L, -2L, 3L)
        .put(doubleArrayKey("attr.doubles"), 0.5, 1.25)
        .put(booleanArrayKey("attr.bools"), true, false)
        .build();
  }

  private static Context remoteParent() {
    TextMapGetter<Map<String, String>> getter =
        new TextMapGetter<>() {
          @Override
          public Iterable<String> keys(Map<String, String> carrier) {
            return carrier.keySet();
          }

          @Override
          public String get(Map<String, String> carrier, String key) {
            return carrier == null ? null : carrier.get(key);
          }
        };
    Map<String, String> carrier =
        Map.of(
            "traceparent", System.getenv("TRACEPARENT"), "tracestate", System.getenv("TRACESTATE"));
    return W3CTraceContextPropagator.getInstance().extract(Context.root(), carrier, getter);
  }
}
