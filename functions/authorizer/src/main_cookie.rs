//! The `authorizer` Lambda function for sessions in cookies; see [`authorizer::handle`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    shared::serve_result(|env| authorizer::read(shared::App::read_slim(env), env), authorizer::handle).await
}
