//! The `authorizer` Lambda function; see [`authorizer::handle`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    shared::serve_result(|env| authorizer::read(shared::App::read(env), env), authorizer::handle).await
}
