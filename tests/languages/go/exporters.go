package main

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// exporters hand over one signal each.
type exporters struct {
	spans   sdktrace.SpanExporter
	records sdklog.Exporter
	points  sdkmetric.Exporter
}

// newExporters returns the exporters of one protocol; all else they read from the environment.
func newExporters(ctx context.Context, protocol string) (exporters, error) {
	switch protocol {
	case "grpc":
		spans, errSpans := otlptracegrpc.New(ctx)
		records, errRecords := otlploggrpc.New(ctx)
		points, errPoints := otlpmetricgrpc.New(ctx)
		return exporters{spans, records, points}, errors.Join(errSpans, errRecords, errPoints)
	case "http/protobuf":
		spans, errSpans := otlptracehttp.New(ctx)
		records, errRecords := otlploghttp.New(ctx)
		points, errPoints := otlpmetrichttp.New(ctx)
		return exporters{spans, records, points}, errors.Join(errSpans, errRecords, errPoints)
	}
	return exporters{}, fmt.Errorf(
		"OTEL_EXPORTER_OTLP_PROTOCOL is %q: the SDK for Go offers grpc and http/protobuf", protocol)
}
