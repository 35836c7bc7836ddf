import io.opentelemetry.context.Context;
import io.opentelemetry.sdk.OpenTelemetrySdk;
import io.opentelemetry.sdk.autoconfigure.AutoConfiguredOpenTelemetrySdk;
import io.opentelemetry.sdk.metrics.Aggregation;
import io.opentelemetry.sdk.metrics.InstrumentSelector;
import io.opentelemetry.sdk.metrics.View;
import io.opentelemetry.sdk.resources.Resource;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Sends one trace, its logs and its metrics through the OpenTelemetry SDK for Java.
 *
 * <p>Where to, how and as whom is read by the SDK from the standard OTEL_* environment variables;
 * the remote parent from TRACEPARENT and TRACESTATE; the whole second all fixed times count from,
 * from SENDER_BASE_SECONDS. Prints the span ids by span name as JSON.
 */
public final class Send {
  static final String SCOPE = "glasshouse.languages";
  static final String VERSION = "1.2.3";
  static final String SCHEMA = "https://opentelemetry.io/schemas/1.37.0";

  private static final long BASE_SECONDS = Long.parseLong(System.getenv("SENDER_BASE_SECONDS"));

  private Send() {}

  /** Returns a fixed time, so many nanoseconds after the base. */
  static Instant at(long offsetNanos) {
    return Instant.ofEpochSecond(BASE_SECONDS, offsetNanos);
  }

  public static void main(String[] args) {
    OpenTelemetrySdk sdk =
        AutoConfiguredOpenTelemetrySdk.builder()
            .addResourceCustomizer(
                (resource, config) -> Resource.create(resource.getAttributes(), SCHEMA))
            .addMeterProviderCustomizer(
                (meters, config) ->
                    meters.registerView(
                        InstrumentSelector.builder().setName("shop.size").build(),
                        View.builder()
                            .setAggregation(Aggregation.base2ExponentialBucketHistogram(20, 20))
                            .build()))
            .build()
            .getOpenTelemetrySdk();
    Traces traces = new Traces(sdk);
    Logs.send(sdk.getLogsBridge(), traces.inServer, traces.inClient);
    Metrics.send(sdk, traces.inServer, Context.root());
    sdk.close();
    new PrintStream(System.out, true, StandardCharsets.UTF_8).println(json(traces.spanIds));
  }

  private static String json(Map<String, String> spanIds) {
    return spanIds.entrySet().stream()
        .map(entry -> '"' + entry.getKey() + "\": \"" + entry.getValue() + '"')
        .collect(Collectors.joining(", ", "{", "}"));
  }
}
