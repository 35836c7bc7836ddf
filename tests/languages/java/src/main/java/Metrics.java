import io.opentelemetry.api.OpenTelemetry;
import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.common.Attributes;
import io.opentelemetry.api.metrics.DoubleHistogram;
import io.opentelemetry.api.metrics.LongCounter;
import io.opentelemetry.api.metrics.LongUpDownCounter;
import io.opentelemetry.api.metrics.Meter;
import io.opentelemetry.context.Context;
import java.util.List;

/** Records sums, a gauge and histograms, some of it inside the server span: that leaves exemplars. */
final class Metrics {
  private Metrics() {}

  static void send(OpenTelemetry telemetry, Context inServer, Context outside) {
    Meter meter =
        telemetry
            .getMeterProvider()
            .meterBuilder(Send.SCOPE)
            .setInstrumentationVersion(Send.VERSION)
            .setSchemaUrl(Send.SCHEMA)
            .build();
    sums(meter, inServer, outside);
    meter
        .gaugeBuilder("shop.temperature")
        .setUnit("Cel")
        .setDescription("Cold store")
        .build()
        .set(-3.5, Attributes.of(AttributeKey.stringKey("room"), "冷"), outside);
    histograms(meter, inServer, outside);
  }

  private static void sums(Meter meter, Context inServer, Context outside) {
    LongCounter orders =
        meter
            .counterBuilder("shop.orders")
            .setUnit("{order}")
            .setDescription("Orders placed, ünïcode 在庫")
            .build();
    Attributes card =
        Attributes.builder()
            .put("payment", "card")
            .put("attempt", 1L)
            .put("retried", false)
            .build();
    orders.add(2, card, outside);
    orders.add(3, card, outside);
    orders.add(7, Attributes.of(AttributeKey.stringKey("payment"), "cash"), inServer);
    meter
        .counterBuilder("shop.revenue")
        .ofDoubles()
        .setUnit("EUR")
        .setDescription("Money taken")
        .build()
        .add(12.75, Attributes.empty(), outside);
    LongUpDownCounter waiting =
        meter
            .upDownCounterBuilder("shop.waiting")
            .setUnit("{order}")
            .setDescription("Orders waiting")
            .build();
    Attributes main = Attributes.of(AttributeKey.stringKey("queue"), "main");
    waiting.add(5, main, outside);
    waiting.add(-7, main, outside);
  }

  private static void histograms(Meter meter, Context inServer, Context outside) {
    DoubleHistogram latency =
        meter
            .histogramBuilder("shop.latency")
            .setUnit("ms")
            .setDescription("Time to answer")
            .setExplicitBucketBoundariesAdvice(List.of(10.0, 100.0, 1000.0))
            .build();
    Attributes route = Attributes.of(AttributeKey.stringKey("route"), "/checkout");
    for (double milliseconds : new double[] {5, 10, 50.5}) {
      latency.record(milliseconds, route, outside);
    }
    latency.record(5000, route, inServer);
    DoubleHistogram size =
        meter.histogramBuilder("shop.size").setUnit("By").setDescription("Size of an order").build();
    for (double bytes : new double[] {0, 1, 2, 4, 8}) {
      size.record(bytes, Attributes.empty(), outside);
    }
  }
}
