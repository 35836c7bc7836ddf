package main

import (
	"context"
	"errors"
	"os"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// remoteParent returns the context that TRACEPARENT and TRACESTATE describe.
func remoteParent(ctx context.Context) context.Context {
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{
		"traceparent": os.Getenv("TRACEPARENT"),
		"tracestate":  os.Getenv("TRACESTATE"),
	})
}

// linked returns a link to a span of another trace.
func linked() trace.Link {
	state, _ := trace.ParseTraceState("vendor=linked")
	return trace.Link{
		SpanContext: trace.NewSpanContext(trace.SpanContextConfig{
			TraceID:    trace.TraceID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
			SpanID:     trace.SpanID{0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18},
			TraceFlags: trace.FlagsSampled,
			TraceState: state,
			Remote:     true,
		}),
		Attributes: []attribute.KeyValue{attribute.String("link.kind", "retry"), attribute.Int("link.attempt", 3)},
	}
}

// sendTrace sends three spans; it returns the contexts of the server and the client span, and the span ids.
func sendTrace(ctx context.Context, provider trace.TracerProvider) (inServer, inClient context.Context, ids map[string]string) {
	tracer := provider.Tracer(scope, trace.WithInstrumentationVersion(version),
		trace.WithSchemaURL(schema), trace.WithInstrumentationAttributes(scopeKind))
	inServer, server := tracer.Start(remoteParent(ctx), "POST /checkout",
		trace.WithSpanKind(trace.SpanKindServer),
		trace.WithTimestamp(at(100*time.Millisecond)),
		trace.WithLinks(linked()),
		trace.WithAttributes(
			attribute.String("attr.string", "plain"),
			attribute.String("attr.unicode", "žluťoučký 🐎 在庫"),
			attribute.String("attr.empty", ""),
			attribute.Int("attr.int", 42),
			attribute.Int("attr.int.negative", -7),
			attribute.Int64("attr.int.large", 9007199254740993),
			attribute.Float64("attr.double", 2.5),
			attribute.Float64("attr.double.whole", 3.0),
			attribute.Bool("attr.bool.true", true),
			attribute.Bool("attr.bool.false", false),
			attribute.StringSlice("attr.strings", []string{"a", "ü b"}),
			attribute.IntSlice("attr.ints", []int{1, -2, 3}),
			attribute.Float64Slice("attr.doubles", []float64{0.5, 1.25}),
			attribute.BoolSlice("attr.bools", []bool{true, false}),
		))
	server.AddEvent("cart.loaded", trace.WithTimestamp(at(110*time.Millisecond)),
		trace.WithAttributes(attribute.Int("cart.items", 3), attribute.String("cart.kind", "gift")))

	inClient, client := tracer.Start(inServer, "POST payment",
		trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(at(150*time.Millisecond)))
	client.SetAttributes(attribute.String("peer.service", "payment"))

	_, inner := tracer.Start(inClient, "reserve ünïcode 在庫",
		trace.WithSpanKind(trace.SpanKindInternal), trace.WithTimestamp(at(160*time.Millisecond)))
	inner.End(trace.WithTimestamp(at(160*time.Millisecond + 1)))

	client.RecordError(errors.New("card declined: ✗"),
		trace.WithTimestamp(at(220*time.Millisecond)), trace.WithStackTrace(true))
	client.SetStatus(codes.Error, "card declined")
	client.End(trace.WithTimestamp(at(230 * time.Millisecond)))
	server.SetStatus(codes.Ok, "")
	server.End(trace.WithTimestamp(at(350*time.Millisecond + 1)))

	return inServer, inClient, map[string]string{
		"POST /checkout":     server.SpanContext().SpanID().String(),
		"POST payment":       client.SpanContext().SpanID().String(),
		"reserve ünïcode 在庫": inner.SpanContext().SpanID().String(),
	}
}

// sendLogs sends four log records: text, structured, an event outside any trace, and one without a time.
func sendLogs(inServer, inClient context.Context, provider log.LoggerProvider) {
	logger := provider.Logger(scope, log.WithInstrumentationVersion(version),
		log.WithSchemaURL(schema), log.WithInstrumentationAttributes(scopeKind))

	var text log.Record
	text.SetTimestamp(at(120 * time.Millisecond))
	text.SetSeverity(log.SeverityInfo)
	text.SetSeverityText("INFO")
	text.SetBody(attribute.StringValue("order accepted: ünïcode 🐎"))
	text.AddAttributes(
		attribute.String("log.string", "plain"),
		attribute.Int("log.int", 42),
		attribute.Float64("log.double", 2.5),
		attribute.Bool("log.bool", true),
		attribute.StringSlice("log.strings", []string{"a", "ü b"}),
		attribute.Map("log.map", attribute.Map("inner", attribute.Int("deep", 1))),
	)
	logger.Emit(inServer, text)

	var structured log.Record
	structured.SetTimestamp(at(225 * time.Millisecond))
	structured.SetSeverity(log.SeverityError)
	structured.SetSeverityText("ERROR")
	structured.SetBody(attribute.MapValue(
		attribute.Map("order",
			attribute.Int("id", 42), attribute.Float64("total", 9.5),
			attribute.StringSlice("items", []string{"a", "ü b"}), attribute.Bool("paid", false)),
		attribute.ByteSlice("raw", []byte{0, 1, 255}),
	))
	logger.Emit(inClient, structured)

	var event log.Record
	event.SetTimestamp(at(230 * time.Millisecond))
	event.SetSeverity(log.SeverityWarn2)
	event.SetSeverityText("warning, the second")
	event.SetEventName("shop.cart.abandoned")
	event.SetBody(attribute.IntValue(42))
	logger.Emit(context.Background(), event)

	var untimed log.Record
	untimed.SetSeverity(log.SeverityDebug)
	untimed.SetSeverityText("DEBUG")
	untimed.SetBody(attribute.StringValue("no time of its own"))
	logger.Emit(context.Background(), untimed)
}

// sendMetrics records sums, a gauge and histograms, some of it inside the server span, which leaves exemplars.
func sendMetrics(outside, inServer context.Context, provider metric.MeterProvider) error {
	meter := provider.Meter(scope, metric.WithInstrumentationVersion(version),
		metric.WithSchemaURL(schema), metric.WithInstrumentationAttributes(scopeKind))
	orders, errOrders := meter.Int64Counter("shop.orders",
		metric.WithUnit("{order}"), metric.WithDescription("Orders placed, ünïcode 在庫"))
	revenue, errRevenue := meter.Float64Counter("shop.revenue",
		metric.WithUnit("EUR"), metric.WithDescription("Money taken"))
	waiting, errWaiting := meter.Int64UpDownCounter("shop.waiting",
		metric.WithUnit("{order}"), metric.WithDescription("Orders waiting"))
	temperature, errTemperature := meter.Float64Gauge("shop.temperature",
		metric.WithUnit("Cel"), metric.WithDescription("Cold store"))
	latency, errLatency := meter.Float64Histogram("shop.latency", metric.WithUnit("ms"),
		metric.WithDescription("Time to answer"), metric.WithExplicitBucketBoundaries(10, 100, 1000))
	size, errSize := meter.Float64Histogram("shop.size",
		metric.WithUnit("By"), metric.WithDescription("Size of an order"))
	err := errors.Join(errOrders, errRevenue, errWaiting, errTemperature, errLatency, errSize)
	if err != nil {
		return err
	}

	card := metric.WithAttributes(attribute.String("payment", "card"),
		attribute.Int("attempt", 1), attribute.Bool("retried", false))
	orders.Add(outside, 2, card)
	orders.Add(outside, 3, card)
	orders.Add(inServer, 7, metric.WithAttributes(attribute.String("payment", "cash")))
	revenue.Add(outside, 12.75)
	queue := metric.WithAttributes(attribute.String("queue", "main"))
	waiting.Add(outside, 5, queue)
	waiting.Add(outside, -7, queue)
	temperature.Record(outside, -3.5, metric.WithAttributes(attribute.String("room", "冷")))
	route := metric.WithAttributes(attribute.String("route", "/checkout"))
	for _, milliseconds := range []float64{5, 10, 50.5} {
		latency.Record(outside, milliseconds, route)
	}
	latency.Record(inServer, 5000, route)
	for _, bytes := range []float64{0, 1, 2, 4, 8} {
		size.Record(outside, bytes)
	}
	return nil
}
