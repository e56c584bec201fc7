// The function in Go that is measured, under AWS's runtime client.
package main

import (
	"encoding/json"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
)

func hello(request events.APIGatewayV2HTTPRequest) (map[string]string, error) {
	var body struct{ Name string }
	if err := json.Unmarshal([]byte(request.Body), &body); err != nil {
		return nil, err
	}
	return map[string]string{"hello": body.Name}, nil
}

func main() { lambda.Start(hello) }
