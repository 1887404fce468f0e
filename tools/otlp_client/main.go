// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0

// A program that knows nothing of otelkit: Go's SDK, set up by OpenTelemetry's variables.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/trace"
)

const orders = 500

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	spans, metrics, err := exporters(ctx, os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL"))
	if err != nil {
		log.Fatal(err)
	}
	tracing := trace.NewTracerProvider(trace.WithBatcher(spans))
	metering := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(metrics)))
	if err := sell(ctx, tracing, metering); err != nil {
		log.Fatal(err)
	}
	if err := errors.Join(tracing.Shutdown(ctx), metering.Shutdown(ctx)); err != nil {
		log.Fatal(err)
	}
}

func exporters(ctx context.Context, protocol string) (*otlptrace.Exporter, sdkmetric.Exporter, error) {
	if protocol == "grpc" {
		spans, err := otlptracegrpc.New(ctx)
		metrics, second := otlpmetricgrpc.New(ctx)
		return spans, metrics, errors.Join(err, second)
	}
	spans, err := otlptracehttp.New(ctx)
	metrics, second := otlpmetrichttp.New(ctx)
	return spans, metrics, errors.Join(err, second)
}

func sell(ctx context.Context, tracing *trace.TracerProvider, metering *sdkmetric.MeterProvider) error {
	tracer, meter := tracing.Tracer("shop"), metering.Meter("shop")
	sold, err := meter.Int64Counter("shop.orders", metric.WithUnit("{order}"))
	price, second := meter.Float64Histogram("shop.price", metric.WithExplicitBucketBoundaries(1, 10))
	if err := errors.Join(err, second); err != nil {
		return err
	}
	for order := range orders {
		inside, root := tracer.Start(ctx, "sell")
		root.SetAttributes(attribute.Int("order", order), attribute.StringSlice("tags", []string{"a", "b"}))
		_, charge := tracer.Start(inside, "charge")
		if order%50 == 0 {
			charge.RecordError(fmt.Errorf("order %d: no money", order))
			charge.SetStatus(codes.Error, "no money")
		}
		charge.End()
		root.End()
		sold.Add(inside, 1, metric.WithAttributes(attribute.String("tier", "free")))
		price.Record(inside, 5)
	}
	return nil
}
