//! The `token` Lambda function; see [`token::handle`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    shared::serve_result(shared::App::read, token::handle).await
}
