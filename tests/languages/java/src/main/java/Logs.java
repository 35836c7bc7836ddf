import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.common.Value;
import io.opentelemetry.api.logs.Logger;
import io.opentelemetry.api.logs.LoggerProvider;
import io.opentelemetry.api.logs.Severity;
import io.opentelemetry.context.Context;
import java.util.List;
import java.util.Map;

/** Sends four log records: text, structured, an event outside any trace, and one without a time. */
final class Logs {
  private Logs() {}

  static void send(LoggerProvider provider, Context inServer, Context inClient) {
    Logger logger =
        provider
            .loggerBuilder(Send.SCOPE)
            .setInstrumentationVersion(Send.VERSION)
            .setSchemaUrl(Send.SCHEMA)
            .build();
    logger
        .logRecordBuilder()
        .setContext(inServer)
        .setTimestamp(Send.at(120_000_000))
        .setSeverity(Severity.INFO)
        .setSeverityText("INFO")
        .setBody("order accepted: ünïcode 🐎")
        .setAttribute(AttributeKey.stringKey("log.string"), "plain")
        .setAttribute(AttributeKey.longKey("log.int"), 42L)
        .setAttribute(AttributeKey.doubleKey("log.double"), 2.5)
        .setAttribute(AttributeKey.booleanKey("log.bool"), true)
        .setAttribute(AttributeKey.stringArrayKey("log.strings"), List.of("a", "ü b"))
        .setAttribute(
            AttributeKey.valueKey("log.map"),
            Value.of(Map.of("inner", Value.of(Map.of("deep", Value.of(1))))))
        .emit();
    logger
        .logRecordBuilder()
        .setContext(inClient)
        .setTimestamp(Send.at(225_000_000))
        .setSeverity(Severity.ERROR)
        .setSeverityText("ERROR")
        .setBody(structured())
        .emit();
    logger
        .logRecordBuilder()
        .setContext(Context.root())
        .setTimestamp(Send.at(230_000_000))
        .setSeverity(Severity.WARN2)
        .setSeverityText("warning, the second")
        .setEventName("shop.cart.abandoned")
        .setBody(Value.of(42))
        .emit();
    logger
        .logRecordBuilder()
        .setContext(Context.root())
        .setSeverity(Severity.DEBUG)
        .setSeverityText("DEBUG")
        .setBody("no time of its own")
        .emit();
  }

  private static Value<?> structured() {
    Value<?> order =
        Value.of(
            Map.of(
                "id", Value.of(42),
                "total", Value.of(9.5),
                "items", Value.of(Value.of("a"), Value.of("ü b")),
                "paid", Value.of(false)));
    return Value.of(Map.of("order", order, "raw", Value.of(new byte[] {0, 1, (byte) 255})));
  }
}
