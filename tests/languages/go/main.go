// Command languages sends one trace, its logs and its metrics through the OpenTelemetry SDK for Go.
//
// Where to, how and as whom is read from the standard OTEL_* environment variables; the remote parent
// from TRACEPARENT and TRACESTATE; the whole second all fixed times count from, from
// SENDER_BASE_SECONDS. Prints the span ids by span name as JSON.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

const (
	scope   = "glasshouse.languages"
	version = "1.2.3"
	schema  = "https://opentelemetry.io/schemas/1.37.0"
)

var scopeKind = attribute.String("scope.kind", "test")

// base is the whole second that all fixed times count from.
var base = func() time.Time {
	seconds, err := strconv.ParseInt(os.Getenv("SENDER_BASE_SECONDS"), 10, 64)
	if err != nil {
		log.Fatalf("SENDER_BASE_SECONDS must be whole seconds since 1970: %v", err)
	}
	return time.Unix(seconds, 0)
}()

// at returns a fixed time, so many nanoseconds after base.
func at(offset time.Duration) time.Time { return base.Add(offset) }

func run(ctx context.Context) (map[string]string, error) {
	sending, err := newExporters(ctx, os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL"))
	if err != nil {
		return nil, err
	}
	detected, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, err
	}
	// WithSchemaURL would conflict with the detectors' own schema.
	described := resource.NewWithAttributes(schema, detected.Attributes()...)
	spans := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(sending.spans), sdktrace.WithResource(described))
	records := sdklog.NewLoggerProvider(
		sdklog.WithProcessor(sdklog.NewBatchProcessor(sending.records)), sdklog.WithResource(described))
	points := sdkmetric.NewMeterProvider(
		sdkmetric.WithReader(sdkmetric.NewPeriodicReader(sending.points)),
		sdkmetric.WithResource(described),
		sdkmetric.WithView(sdkmetric.NewView(
			sdkmetric.Instrument{Name: "shop.size"},
			sdkmetric.Stream{Aggregation: sdkmetric.AggregationBase2ExponentialHistogram{MaxSize: 20, MaxScale: 20}},
		)),
	)

	inServer, inClient, spanIDs := sendTrace(ctx, spans)
	sendLogs(inServer, inClient, records)
	if err := sendMetrics(ctx, inServer, points); err != nil {
		return nil, err
	}
	for _, shutdown := range []func(context.Context) error{spans.Shutdown, records.Shutdown, points.Shutdown} {
		if err := shutdown(ctx); err != nil {
			return nil, err
		}
	}
	return spanIDs, nil
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	spanIDs, err := run(ctx)
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(spanIDs); err != nil {
		log.Fatal(err)
	}
}
