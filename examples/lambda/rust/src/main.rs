use lambda_runtime::{run, service_fn, Error, LambdaEvent};
use serde_json::{json, Value};

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let (request, context) = event.into_parts();
    if request["queryStringParameters"]["fail"].is_string() {
        return Err("asked to fail".into());
    }
    let body = json!({
        "runtime": "rust",
        "method": request["requestContext"]["http"]["method"],
        "path": request["rawPath"],
        "query": request["queryStringParameters"],
        "body": request["body"],
        "id": context.request_id,
    });
    Ok(json!({
        "statusCode": 200,
        "headers": {"Content-Type": "application/json"},
        "cookies": ["a=1", "b=2"],
        "body": body.to_string(),
    }))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(handle)).await
}
