package main

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

func handle(ctx context.Context, request events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	if request.QueryStringParameters["fail"] != "" {
		return events.APIGatewayV2HTTPResponse{}, errors.New("asked to fail")
	}
	call, _ := lambdacontext.FromContext(ctx)
	body, err := json.Marshal(map[string]any{
		"runtime": "go",
		"method":  request.RequestContext.HTTP.Method,
		"path":    request.RawPath,
		"query":   request.QueryStringParameters,
		"body":    request.Body,
		"id":      call.AwsRequestID,
	})
	return events.APIGatewayV2HTTPResponse{
		StatusCode: 200,
		Headers:    map[string]string{"Content-Type": "application/json"},
		Cookies:    []string{"a=1", "b=2"},
		Body:       string(body),
	}, err
}

func main() { lambda.Start(handle) }
